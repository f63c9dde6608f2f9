/** The part of plotly.js that the page uses; the script is served from the installed package. */

export type Figure = Record<string, unknown>;

/** What a picture is made from. */
export interface Picture {
  data: Figure[];
  layout: Figure;
  width: number;
  height: number;
}

export interface PlotlyPoint {
  customdata?: unknown;
  x: number;
}

export interface PlotlyElement extends HTMLElement {
  on?(event: "plotly_click", handler: (event: { points: PlotlyPoint[] }) => void): void;
  on?(event: "plotly_relayout", handler: (change: Record<string, unknown>) => void): void;
  on?(event: "plotly_doubleclick", handler: () => void): void;
}

declare global {
  const Plotly: {
    react(
      element: HTMLElement,
      data: Figure[],
      layout: Figure,
      config: Figure,
    ): Promise<PlotlyElement>;
    toImage(
      figure: { data: Figure[]; layout: Figure },
      options: { format: "png" | "svg"; width: number; height: number; scale: number },
    ): Promise<string>;
    purge(element: HTMLElement): void;
    Plots: { resize(element: HTMLElement): Promise<void> };
  };
}
