/** The rows of the wire as the page keeps them: open words are narrowed, and fields with a default are there. */
import type * as wire from "../wire.js";
import type { StateName } from "./states.js";

export type Cause = wire.Explanation["cause"];
/** The causes that alerts and notes have, and no explanation. */
export type UnaskedCause = Exclude<NonNullable<wire.Alert["cause"]>, Cause>;
export type Explanations = Required<wire.ExplanationRows>;

/** What a freeze or thaw asks for. */
export type FreezeDraft = Required<Omit<wire.CommandRequest, "by">>;
export type FreezeKind = FreezeDraft["kind"];
export type FreezeMode = FreezeDraft["mode"];

/** What is asked for when a gate is made (`gate` null) or changed. */
export type GateDraft = Required<Omit<wire.GateRequest, "by">>;
export type UngateDraft = Omit<wire.UngateRequest, "by">;
export type GateAction = GateDraft["action"];
/** Where, when and how a gate works. */
export type GateRule = Omit<GateDraft, "kind" | "paused" | "gate" | "limit"> & { limit?: wire.Limit | null };

/** What is asked for when the next step is to be traced. */
export type ExplainDraft = Required<Omit<wire.ExplainRequest, "by">>;

export type CommandDraft = FreezeDraft | GateDraft | UngateDraft | ExplainDraft;
export type CommandKind = CommandDraft["kind"];

/** What every command has, whatever its kind. */
type CommandReport = Pick<
  wire.CommandRow,
  "by" | "count" | "detail" | "id" | "parameters" | "reason" | "requested" | "saved" | "state" | "step" | "target"
> & { times: Partial<Record<wire.CommandState, number>> };

export type FreezeCommand = CommandReport & FreezeDraft;
export type GateCommand = CommandReport & GateDraft;
export type UngateCommand = CommandReport & UngateDraft;
export type ExplainCommand = CommandReport & ExplainDraft;
export type CommandRow = FreezeCommand | GateCommand | UngateCommand | ExplainCommand;

export type Frozen = Omit<wire.FrozenRow, "mode"> & { mode: FreezeMode };
export type ParameterRow = Omit<wire.ParameterRow, "state" | "frozen"> & { state: StateName; frozen: Frozen | null };
export type GateRow = Omit<wire.GateRow, "action"> & { action: GateAction };

/** What the server says of itself over the live connection. */
export type LiveMessage = wire.Wire["server_to_browser"];
export type MessageType = NonNullable<LiveMessage["type"]>;
