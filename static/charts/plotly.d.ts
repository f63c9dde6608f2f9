/** The part of plotly.js that the page uses; the script is served from the installed package. */

export type Figure = Record<string, unknown>;

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
    purge(element: HTMLElement): void;
    Plots: { resize(element: HTMLElement): Promise<void> };
  };
}
