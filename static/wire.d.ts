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
  /** processes that train together */
  ranks: number;
  compiled: boolean;
  states: Partial<Record<StateName, number>>;
  /** patterns of what ought to train */
  expect: string[];
  /** how many parameters of those do not */
  alerts: number;
}

export type FreezeMode = "grad" | "no_grad";

export interface Frozen {
  by: string;
  mode: FreezeMode;
  hold_stats: boolean;
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
  /** replaced by another tensor, or gone from the model */
  removed: boolean;
  grad_norm: number | null;
  grad_max: number | null;
  step: number | null;
}

export type CommandState =
  | "requested"
  | "delivered"
  | "applied"
  | "verified"
  | "drifted"
  | "rejected"
  | "superseded";

export type CommandKind = "freeze" | "thaw";

/** What a freeze or thaw asks for. */
export interface Draft {
  kind: CommandKind;
  target: string;
  mode: FreezeMode;
  hold_stats: boolean;
  reset_state: boolean;
}

/** What a freeze or thaw would touch; lists of names hold the first 20. */
export interface Preview extends Draft {
  parameters: string[];
  count: number;
  /** how many of the parameters are so already */
  already: number;
  numel: number;
  /** of the model's elements, 0 to 1 */
  share: number;
  gradient_bytes: number;
  state_bytes: number;
  trainable_after: number;
  trainable_numel_after: number;
  not_in_optimizer: string[];
  tied: string[][];
  running_stats: string[];
  cut_off: string[] | null;
  recompiles: boolean;
  /** most important first */
  warnings: string[];
}

/** What a command saved, measured from the job's own steps. */
export interface Saved {
  /** seconds a step */
  backward_before: number;
  backward_after: number;
  /** how many steps on each side */
  steps: number;
  /** freed; negative for a thaw */
  gradient_bytes: number;
  memory_before: number | null;
  memory_after: number | null;
}

export type GateAction = "block" | "scale" | "clip";

/** Where, when and how a gate works. */
export interface GateRule {
  /** `param:NAME`, `output:MODULE`, `input:MODULE` or `site:LABEL` */
  site: string;
  when: string;
  action: GateAction;
  factor: number | null;
  max_norm: number | null;
  /** once closed, closed for at least that many steps */
  hold: number;
}

/** What is asked for when a gate is made (`gate` null) or changed. */
export interface GateDraft extends GateRule {
  kind: "gate";
  paused: boolean;
  gate: number | null;
}

export interface UngateDraft {
  kind: "ungate";
  gate: number;
}

/** A gate as the job reported it. */
export interface GateRow extends GateRule {
  id: number;
  paused: boolean;
  by: string;
  command: number | null;
  since_step: number;
  /** in the latest step */
  closed: boolean;
  /** in which the site was reached */
  steps: number;
  closed_steps: number;
  norm_in: number | null;
  norm_out: number | null;
  problem: string | null;
  /** the first 20 names of those that got no gradient because of it in the latest step */
  parameters: string[];
  count: number;
}

/** The job's answer to a gate that is not made yet. */
export interface Trial {
  error: { message: string; column: number | null } | null;
  names: string[];
  /** steps at which it would have been closed */
  closed: number[] | null;
  samples: number;
  missing: string[];
  notes: string[];
}

/** What every command has, whatever its kind. */
export interface CommandReport {
  id: number;
  target: string;
  by: string;
  state: CommandState;
  step: number | null;
  /** the first 20 names */
  parameters: string[];
  count: number;
  reason: string | null;
  detail: string | null;
  saved: Saved | null;
  requested: number;
  times: Partial<Record<CommandState, number>>;
}

export interface FreezeCommand extends CommandReport, Draft {
  target: string;
}

export interface GateCommand extends CommandReport, GateDraft {}

export interface UngateCommand extends CommandReport, UngateDraft {}

/** What is asked for when the next step is to be traced. */
export interface ExplainDraft {
  kind: "explain";
  target: string;
}

export interface ExplainCommand extends CommandReport, ExplainDraft {
  target: string;
}

export type AnyDraft = Draft | GateDraft | UngateDraft | ExplainDraft;

export type CommandRow = FreezeCommand | GateCommand | UngateCommand | ExplainCommand;

/** One stop of the gradient's way from the loss to a parameter. */
export interface Station {
  label: string;
  kind: "loss" | "module" | "call" | "parameter";
  /** a gradient got here, ended here, or would have come here */
  flow: "flows" | "stops" | "none";
  where: string | null;
}

/** A line of the user's code with a few around it. */
export interface Snippet {
  file: string;
  /** the line that is meant, from 1 */
  line: number;
  /** the number of the first of `lines` */
  first: number;
  lines: string[];
}

/** Why a parameter had no useful gradient in the traced step. */
export interface Explanation {
  /** its index, or null for one that no module has */
  parameter: number | null;
  name: string;
  cause: string;
  where: string | null;
  detail: string;
  advice: string;
  /** from the loss back to the parameter; empty where no way is known */
  path: Station[];
  source: Snippet | null;
}

/** What the latest traced step showed; all but the counts is null before the first. */
export interface Explanations {
  step: number | null;
  seconds: number | null;
  /** of a normal step */
  ratio: number | null;
  total: number;
  /** of `total`, not listed */
  left_out: number;
  by: "job" | "command" | null;
  command: number | null;
  time: number | null;
  explanations: Explanation[];
}

/** A parameter that ought to train and does not. */
export interface Alert {
  parameter: number;
  name: string;
  since_step: number;
  cause: string | null;
  detail: string | null;
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
  | { type: "gates"; gates: GateRow[] }
  | { type: "explanations" }
  | { type: "alerts"; alerts: Alert[] }
  | { type: "metrics"; points: MetricPoint[]; complete: boolean };
