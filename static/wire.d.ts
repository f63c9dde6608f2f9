/** The rows and messages of docs/protocol.md, sections 2 and 3, as the page reads them. */

export type RunStatus = "live" | "finished" | "lost";

export type StateName =
  | "unmeasured"
  | "present"
  | "zero"
  | "nonfinite"
  | "absent"
  | "stale"
  | "frozen"
  | "gated";

export interface RunRow {
  id: string;
  name: string;
  status: RunStatus;
  step: number;
  started: number;
  server_time: number;
  last_seen: number | null;
  sample_time: number | null;
  sample_step: number | null;
  steps_per_second: number | null;
  cost: number | null;
  every: number | null;
  dropped: number;
  faults: number;
  samples: number;
  parameters: number;
  trainable: number;
  numel: number;
  host: string;
  pid: number;
  probe_version: string;
  torch_version: string;
  figures: string;
  states: Partial<Record<StateName, number>>;
}

export interface Frozen {
  by: string;
  mode: string;
  since_step: number | null;
  command: number | null;
}

export interface ParameterRow {
  index: number;
  name: string;
  names: string[];
  module: string;
  shape: number[];
  numel: number;
  dtype: string;
  device: string;
  in_optimizer: boolean;
  state: StateName;
  frozen: Frozen | null;
  grad_norm: number | null;
  grad_max: number | null;
  step: number | null;
}

export type CommandState =
  | "requested"
  | "delivered"
  | "applied"
  | "verified"
  | "rejected"
  | "superseded";

export type CommandKind = "freeze" | "thaw";

export interface CommandRow {
  id: number;
  kind: CommandKind;
  target: string;
  mode: string;
  by: string;
  state: CommandState;
  step: number | null;
  /** the first 20 names */
  parameters: string[];
  count: number;
  reason: string | null;
  detail: string | null;
  requested: number;
  times: Partial<Record<CommandState, number>>;
}

export interface Series {
  parameter: string;
  stat: string;
  steps: number[];
  values: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  states: StateName[];
  samples: number;
}

export interface Sparklines {
  steps: number[];
  rows: (number | null)[][];
  states: number[][];
}

export interface Metric {
  steps: number[];
  values: (number | null)[];
}

export interface MetricPoint {
  step: number;
  values: Record<string, number | null>;
}

export type LiveMessage =
  | { type: "run"; run: RunRow }
  | { type: "commands"; commands: CommandRow[] }
  | { type: "parameters" }
  | { type: "metrics"; points: MetricPoint[]; complete: boolean };
