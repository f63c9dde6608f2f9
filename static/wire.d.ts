/** Generated from docs/protocol.schema.json by `make wire`; do not edit. */

/**
 * Where a command is between being asked for and being proved.
 */
export type CommandState =
  "requested" | "delivered" | "applied" | "verified" | "drifted" | "rejected" | "superseded";
/**
 * Whether a run's probe is there.
 */
export type RunStatus = "live" | "finished" | "failed" | "lost";

export interface Wire {
  alerts: AlertRows;
  audit: AuditRows;
  browser_to_server: Watch;
  change_request: ChangeRequest;
  command: CommandRow;
  command_request: CommandRequest | GateRequest | UngateRequest | ExplainRequest;
  commands: CommandRows;
  event: EventRow;
  events: EventRows;
  explanations: ExplanationRows;
  gates: GateRows;
  health: Health;
  metric_sparklines: MetricSparklines;
  metrics: MetricRows;
  parameters: ParameterRows;
  preview: Preview;
  run: RunRow;
  run_edit: RunEdit;
  runs: Runs;
  series: SeriesRow | SeriesRows;
  server_to_browser:
    | RunChanged
    | CommandsChanged
    | ParametersChanged
    | NewMetrics
    | GatesChanged
    | ExplanationsChanged
    | AlertsChanged
    | OptimizersChanged
    | EventsChanged
    | FocusChanged
    | NewDistributions;
  sparklines: Sparklines;
  trial: Trial;
  trial_request: TrialRequest;
}
/**
 * Answer of `GET /api/runs/{run}/alerts`: the first 2,000, notes behind alerts.
 */
export interface AlertRows {
  alerts: Alert[];
}
/**
 * What is wrong, or as a note worth knowing; without a parameter it is of the whole run.
 */
export interface Alert {
  cause:
    | (
        | "frozen_by_script"
        | "frozen_by_command"
        | "gated"
        | "module_not_called"
        | "parameter_not_used"
        | "no_grad"
        | "detached"
        | "not_differentiable"
        | "not_in_loss"
        | "zero_gradient"
        | "nonfinite"
        | "overwritten"
        | "not_in_optimizer"
        | "no_backward"
        | "not_moving"
        | "moved_without_gradient"
        | "not_cleared"
        | "replicas_differ"
        | "exploding"
        | "vanishing"
        | "dead_units"
        | "update_ratio"
        | "wrong_backward"
        | "unknown"
        | "no_step"
        | "not_frozen"
        | "share"
        | "switched_off"
        | "unmeasured"
      )
    | null;
  detail: string | null;
  level?: "alert" | "note";
  name: string | null;
  /**
   * @maxItems 100000
   */
  others?: number[];
  parameter: number | null;
  since_step: number;
  where?: string | null;
}
/**
 * A page of them, newest first; `before` of the next page is the id of the last.
 */
export interface AuditRows {
  audit: AuditRow[];
}
/**
 * One thing that somebody did; it outlives the run that it was done to.
 *
 * `actor` is the name of a token, `token` for the one without a name, `user NAME` for whom a proxy
 * named, `token file` for the file of tokens, and "" where none is wanted or known. `run` and
 * `name` are those of the run as it was then, null for what concerns none.
 */
export interface AuditRow {
  action:
    | "command"
    | "edit"
    | "delete"
    | "dismiss"
    | "sign_in"
    | "sign_out"
    | "wrong_token"
    | "token_added"
    | "token_revoked";
  actor: string;
  address: string;
  detail: {
    [k: string]: unknown;
  };
  id: string;
  name: string | null;
  run: string | null;
  time: number;
}
/**
 * What a page shows, which is all that it is told of from now on; null is everything.
 *
 * `interval` is the least number of seconds between two messages of what the job streams;
 * `focus` are the parameters that are looked at closely, by their places in the table;
 * `holds` are the commands that last while this page is there.
 */
export interface Watch {
  /**
   * @maxItems 16
   */
  focus?: number[];
  /**
   * @maxItems 100
   */
  holds?: number[];
  interval?: number;
  statistics?: string[] | null;
  topics?: string[] | null;
  type?: "watch";
}
/**
 * A change that a job may be asked for.
 */
export interface ChangeRequest {
  hold_stats?: boolean;
  kind: "freeze" | "thaw";
  mode?: "grad" | "no_grad";
  reset_state?: boolean;
  target: string;
}
/**
 * One entry of the audit log; among others it names the first 20 of its `count` parameters.
 *
 * The fields from `site` on are null for a freeze, a thaw and an explain; of an ungate there is
 * `gate` alone, and of a new gate `gate` follows when the job has made it.
 */
export interface CommandRow {
  action?: string | null;
  by: string;
  count: number;
  detail: string | null;
  factor?: number | null;
  gate?: number | null;
  hold?: number | null;
  hold_stats: boolean;
  id: number;
  kind: string;
  limit?: Limit | null;
  max_norm?: number | null;
  mode: string;
  parameters: string[];
  paused?: boolean | null;
  reason: string | null;
  requested: number;
  reset_state: boolean;
  saved: Saved | null;
  site?: string | null;
  state: CommandState;
  step: number | null;
  target: string;
  times: {
    [k: string]: number;
  };
  when?: string | null;
}
/**
 * What undoes a freeze or removes a gate by itself; the first that comes does.
 *
 * `while_watched`: it lasts as long as the page that asked for it is there.
 */
export interface Limit {
  seconds?: number | null;
  steps?: number | null;
  while_watched?: boolean;
}
/**
 * What a command changed in the cost of a step, as medians of `steps` steps on each side.
 *
 * `backward_before` and `backward_after` are in seconds. `gradient_bytes` were freed, and are
 * negative for a thaw. The memory is what the accelerator had allocated at the end of the forward.
 * The spreads are interquartile ranges, in seconds; `measurable` is false where the backward
 * changed by no more than its noise. Older probes tell none of the three.
 */
export interface Saved {
  backward_after: number;
  backward_before: number;
  gradient_bytes: number;
  measurable?: boolean | null;
  memory_after: number | null;
  memory_before: number | null;
  spread_after?: number | null;
  spread_before?: number | null;
  steps: number;
}
/**
 * A freeze or a thaw that a browser or a script asks of a job.
 */
export interface CommandRequest {
  by?: string;
  hold_stats?: boolean;
  kind: "freeze" | "thaw";
  limit?: LimitRequest | null;
  mode?: "grad" | "no_grad";
  reset_state?: boolean;
  target: string;
}
/**
 * A limit that a browser or a script asks for.
 */
export interface LimitRequest {
  seconds?: number | null;
  steps?: number | null;
  while_watched?: boolean;
}
/**
 * Make a gate, or with `gate` give that one these fields.
 */
export interface GateRequest {
  action?: "block" | "scale" | "clip";
  by?: string;
  factor?: number | null;
  gate?: number | null;
  hold?: number;
  kind: "gate";
  limit?: LimitRequest | null;
  max_norm?: number | null;
  paused?: boolean;
  site: string;
  when?: string;
}
/**
 * Remove a gate.
 */
export interface UngateRequest {
  by?: string;
  gate: number;
  kind: "ungate";
}
/**
 * Trace the next step of a job, and say why gradients are missing.
 */
export interface ExplainRequest {
  by?: string;
  kind: "explain";
  target?: string;
}
/**
 * Answer of `GET /api/runs/{run}/commands`.
 */
export interface CommandRows {
  commands: CommandRow[];
}
/**
 * One thing that happened, from `step` to `last_step`; it names the first 20 of `count`.
 *
 * `figures` holds the numbers that made it one, `dismissed` when a person put it aside.
 */
export interface EventRow {
  count: number;
  dismissed: number | null;
  figures: {
    [k: string]: unknown;
  };
  id: number;
  kind:
    | "nonfinite"
    | "spike"
    | "vanished"
    | "absent"
    | "dead"
    | "not_moving"
    | "drift"
    | "command"
    | "gate"
    | "alert"
    | "run";
  last_step: number;
  level: "alert" | "note";
  parameters: string[];
  sentence: string;
  step: number;
  time: number;
}
/**
 * Answer of `GET /api/runs/{run}/events`.
 */
export interface EventRows {
  events: EventRow[];
}
/**
 * Answer of `GET /api/runs/{run}/explanations`: what the latest traced step showed.
 *
 * `total` counts all of that step, chosen and listed or not, and `left_out` those that are not
 * known here. Before the first such step `step` is null.
 */
export interface ExplanationRows {
  by?: ("job" | "command") | null;
  command?: number | null;
  explanations?: Explanation[];
  left_out?: number;
  ratio?: number | null;
  seconds?: number | null;
  step?: number | null;
  time?: number | null;
  total?: number;
}
/**
 * Why one parameter has no useful gradient, where that comes from, and what to change.
 *
 * `parameter` is null for one that no module has, such as a layer in a plain list.
 */
export interface Explanation {
  advice: string;
  cause:
    | "frozen_by_script"
    | "frozen_by_command"
    | "gated"
    | "module_not_called"
    | "parameter_not_used"
    | "no_grad"
    | "detached"
    | "not_differentiable"
    | "not_in_loss"
    | "zero_gradient"
    | "nonfinite"
    | "overwritten"
    | "not_in_optimizer"
    | "no_backward"
    | "not_moving"
    | "moved_without_gradient"
    | "not_cleared"
    | "replicas_differ"
    | "exploding"
    | "vanishing"
    | "dead_units"
    | "update_ratio"
    | "wrong_backward"
    | "unknown";
  detail: string;
  name: string;
  parameter: number | null;
  /**
   * @maxItems 100
   */
  path: Station[];
  source: Snippet | null;
  where: string | null;
}
/**
 * One stop of the gradient's way from the loss to a parameter.
 *
 * `flow`: a gradient got here, here it ended, or this is behind the end; or here it turned into
 * NaN or infinity, or that got here.
 */
export interface Station {
  flow: "flows" | "stops" | "none" | "turns" | "nonfinite";
  kind: "loss" | "module" | "call" | "parameter";
  label: string;
  where: string | null;
}
/**
 * Line `line` of a file with a few around it; the first of `lines` has the number `first`.
 */
export interface Snippet {
  file: string;
  first: number;
  line: number;
  /**
   * @minItems 1
   * @maxItems 7
   */
  lines: [string, ...string[]];
}
/**
 * Answer of `GET /api/runs/{run}/gates`.
 */
export interface GateRows {
  gates: GateRow[];
}
/**
 * A gate as the job last reported it; it names the first 20 of its `count` parameters.
 */
export interface GateRow {
  action: string;
  by: string;
  closed: boolean;
  closed_steps: number;
  command: number | null;
  count: number;
  factor: number | null;
  hold: number;
  id: number;
  limit?: Limit | null;
  max_norm: number | null;
  norm_in: number | null;
  norm_out: number | null;
  parameters: string[];
  paused: boolean;
  problem: string | null;
  since_step: number;
  site: string;
  steps: number;
  when: string;
}
/**
 * Answer of `GET /healthz`.
 */
export interface Health {
  status: "ok" | "failing";
  store: StoreHealth;
  version: string;
}
/**
 * The state of the store: frames that wait to be written, and the time of the last commit.
 */
export interface StoreHealth {
  error?: string | null;
  kind: string;
  last_commit: number | null;
  queue: number;
}
/**
 * Answer of `GET /api/sparklines`, by run; those without a metric are left out.
 */
export interface MetricSparklines {
  sparklines: {
    [k: string]: MetricSparkline;
  };
}
/**
 * The course of one metric of a run, oldest first; None where a value is not finite.
 */
export interface MetricSparkline {
  metric: string;
  values: (number | null)[];
}
/**
 * Answer of `GET /api/runs/{run}/metrics`.
 */
export interface MetricRows {
  metrics: {
    [k: string]: MetricRow;
  };
  names: string[];
}
/**
 * A range of a metric in buckets, of one value each where there is room for all.
 */
export interface MetricRow {
  count: number[];
  first_steps: number[];
  max: (number | null)[];
  min: (number | null)[];
  nan: number[];
  neginf: number[];
  posinf: number[];
  steps: number[];
  values: (number | null)[];
}
/**
 * Answer of `GET /api/runs/{run}/parameters`.
 */
export interface ParameterRows {
  parameters: ParameterRow[];
}
/**
 * One parameter with its latest figures; one that is not a finite number is null.
 *
 * `grad_norm` is of the latest sample, the others of the latest sample that took them.
 * `gate` is the gate that kept its gradient away, where `state` is `gated`; `cause` is why it had
 * no useful gradient when a step was last traced, null when it had one or none was.
 */
export interface ParameterRow {
  cause?: string | null;
  device: string;
  dtype: string;
  frozen: FrozenRow | null;
  gate?: number | null;
  grad_max: number | null;
  grad_norm: number | null;
  in_optimizer: boolean;
  index: number;
  module: string;
  name: string;
  names: string[];
  numel: number;
  removed: boolean;
  shape: number[];
  state: string;
  step: number | null;
  update_ratio: number | null;
  weight_norm: number | null;
}
/**
 * Who froze a parameter; `since_step` and `command` are null when the script did.
 */
export interface FrozenRow {
  by: string;
  command: number | null;
  hold_stats: boolean;
  limit?: Limit | null;
  mode: string;
  since_step: number | null;
}
/**
 * What a command would touch, before it is sent.
 *
 * Lists of names are cut after 20; `count`, `numel` and the bytes are of all. `cut_off` is null
 * when the job cannot know yet.
 */
export interface Preview {
  already: number;
  count: number;
  cut_off: string[] | null;
  gradient_bytes: number;
  hold_stats: boolean;
  kind: "freeze" | "thaw";
  mode: "grad" | "no_grad";
  /**
   * @maxItems 100000
   */
  not_in_optimizer: string[];
  numel: number;
  /**
   * @maxItems 100000
   */
  parameters: string[];
  recompiles: boolean;
  reset_state: boolean;
  /**
   * @maxItems 100000
   */
  running_stats: string[];
  share: number;
  state_bytes: number;
  target: string;
  /**
   * @maxItems 100000
   */
  tied: string[][];
  trainable_after: number;
  trainable_numel_after: number;
  /**
   * @maxItems 100000
   */
  warnings: string[];
}
/**
 * One training job; `states` counts the states of its latest sample, `alerts` its alerts.
 *
 * `open_alerts` counts the events that are alerts and that nobody has dismissed, whatever is so
 * now; `last_alert` is the step to which the latest of them reaches.
 * `parameters`, `trainable`, `numel` and `not_in_optimizer`, which counts those that require a
 * gradient and that no optimizer has, leave out the parameters that were removed.
 * `number` says which run of its name it is, from 1; `group` is the search or the pipeline that it
 * belongs to.
 * `server_time`, when the row was made, `last_seen` and `sample_time` are by the server's clock.
 */
export interface RunRow {
  alerts: number;
  archived: boolean;
  compiled: boolean;
  cost: number | null;
  dropped: number;
  every: number | null;
  expect: string[];
  faults: number;
  figures: string;
  group: string | null;
  host: string;
  id: string;
  keep_days: number | null;
  keep_gb: number | null;
  last_alert: number | null;
  last_seen: number | null;
  name: string;
  not_in_optimizer: number;
  notes: string;
  number: number;
  numel: number;
  open_alerts: number;
  parameters: number;
  pid: number;
  probe_version: string;
  ranks: number;
  restraints: Restraints;
  sample_step: number | null;
  sample_time: number | null;
  samples: number;
  server_time: number;
  started: number;
  states: {
    [k: string]: number;
  };
  status: RunStatus;
  step: number;
  steps_per_second: number | null;
  tags: string[];
  torch_version: string;
  trainable: number;
}
/**
 * Patterns of weights and of running statistics that keep every bit, and how much trains.
 *
 * `share` has the least and the largest share of the numbers that may require a gradient.
 */
export interface Restraints {
  /**
   * @maxItems 1000
   */
  frozen?: string[];
  /**
   * @maxItems 1000
   */
  frozen_stats?: string[];
  share?: [number, number, ...number[]] | null;
}
/**
 * What a person changes of a run; a field that is null or missing stays as it is.
 */
export interface RunEdit {
  archived?: boolean | null;
  keep_days?: number | null;
  keep_gb?: number | null;
  name?: string | null;
  notes?: string | null;
  tags?: string[] | null;
}
/**
 * Answer of `GET /api/runs`.
 */
export interface Runs {
  runs: RunRow[];
}
/**
 * One parameter's history in at most `points` buckets.
 */
export interface SeriesRow {
  first_steps: number[];
  max: (number | null)[];
  min: (number | null)[];
  parameter: string;
  samples: number;
  stat: string;
  states: string[];
  steps: number[];
  values: (number | null)[];
}
/**
 * Answer of `GET /api/runs/{run}/series` for several parameters.
 */
export interface SeriesRows {
  series: (SeriesRow | SeriesError)[];
}
/**
 * Takes the place of a series that there is not.
 */
export interface SeriesError {
  error: string;
  parameter: string;
}
/**
 * The row of the run.
 */
export interface RunChanged {
  run: RunRow;
  type?: "run";
}
/**
 * Rows of commands that are new or changed.
 */
export interface CommandsChanged {
  commands: CommandRow[];
  type?: "commands";
}
/**
 * The table or what is frozen changed, fetch the parameters again.
 */
export interface ParametersChanged {
  type?: "parameters";
}
/**
 * What was logged since the last message, oldest first.
 *
 * `complete` is false when some of it was left out: fetch the metrics again.
 */
export interface NewMetrics {
  complete: boolean;
  points: MetricPoint[];
  type?: "metrics";
}
/**
 * What was logged at one step; a number that is not finite is null.
 */
export interface MetricPoint {
  nonfinite?: {
    [k: string]: "nan" | "inf" | "-inf";
  };
  step: number;
  values: {
    [k: string]: number | null;
  };
}
/**
 * Every gate that there is now.
 */
export interface GatesChanged {
  gates: GateRow[];
  type?: "gates";
}
/**
 * Another step was traced, fetch the explanations and the parameters again.
 */
export interface ExplanationsChanged {
  type?: "explanations";
}
/**
 * The alerts and notes that there are now: the first 2,000.
 */
export interface AlertsChanged {
  alerts: Alert[];
  type?: "alerts";
}
/**
 * The groups of the optimizers as the job last told of them.
 */
export interface OptimizersChanged {
  groups: OptimizerGroup[];
  step: number | null;
  type?: "optimizers";
}
/**
 * One group of an optimizer: its parameters, and its options as the step applied them.
 */
export interface OptimizerGroup {
  group: number;
  number: number;
  optimizer: string;
  options: {
    /**
     * This interface was referenced by `undefined`'s JSON-Schema definition
     * via the `patternProperty` "^[^\x00]*$".
     */
    [k: string]: boolean | number | string | number[];
  };
  /**
   * @maxItems 100000
   */
  parameters: [number, number, ...number[]][];
}
/**
 * Events that are new or changed; at connect the latest 100.
 */
export interface EventsChanged {
  events: EventRow[];
  type?: "events";
}
/**
 * Which of the parameters that a page looks at closely the job looks at.
 */
export interface FocusChanged {
  parameters: number[];
  problem: string | null;
  type?: "focus";
}
/**
 * What was seen since the last message of the parameters that a page looks at closely.
 */
export interface NewDistributions {
  parameters: SeenDistributions[];
  type?: "distributions";
}
/**
 * The same with the step that it is of.
 */
export interface SeenDistributions {
  gradient: Distribution | null;
  parameter: number;
  stale?: boolean;
  step: number;
  time: number;
  weight: Distribution | null;
}
/**
 * How many numbers of a tensor have which size; each is counted once, in one place.
 */
export interface Distribution {
  first: number;
  nan: number;
  /**
   * @maxItems 2048
   */
  negative: number[];
  neginf: number;
  numel: number;
  posinf: number;
  /**
   * @maxItems 2048
   */
  positive: number[];
  rows: RowNorms | null;
  sample_of?: number | null;
  zeros: number;
}
/**
 * The L2 norms of the rows of a tensor of two dimensions or more.
 */
export interface RowNorms {
  count: number;
  /**
   * @maxItems 256
   */
  norms: (number | null)[];
  zero: number;
}
/**
 * The last samples of `grad_norm`, and of the states as codes, of every parameter.
 */
export interface Sparklines {
  rows: (number | null)[][];
  states: number[][];
  steps: number[];
}
/**
 * How a condition fared: `samples` were played, and at `closed` it would have been closed.
 *
 * `names` are known to conditions now, and of those in `missing` there is no history. `first` and
 * `last` are the ends of the steps that were played; older probes tell none.
 */
export interface Trial {
  closed: number[] | null;
  error: ConditionFault | null;
  first?: number | null;
  last?: number | null;
  /**
   * @maxItems 100000
   */
  missing: string[];
  /**
   * @maxItems 100000
   */
  names: string[];
  /**
   * @maxItems 100000
   */
  notes: string[];
  samples: number;
}
/**
 * Why there cannot be such a gate; `column`, from 0, is the place in its condition.
 */
export interface ConditionFault {
  column: number | null;
  message: string;
}
/**
 * Try a gate on at most the latest `samples` samples; nothing is made.
 */
export interface TrialRequest {
  action?: "block" | "scale" | "clip";
  factor?: number | null;
  hold?: number;
  max_norm?: number | null;
  samples?: number;
  site: string;
  when?: string;
}
