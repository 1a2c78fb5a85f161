// Putting a client together.

import { ErrorCodes, ResponseError } from "vscode-jsonrpc/node";

import type { Approve } from "./approvals.js";
import { Approvals } from "./approvals.js";
import { Client } from "./client.js";
import { asEvent } from "./events.js";
import type { Ask, State } from "./link.js";
import { Link } from "./link.js";
import { Listeners } from "./listeners.js";
import type {
  ApprovalParams,
  ApprovalResolvedParams,
  ClientInfo,
  InitializeParams,
  ProgressParams,
  SkillCallParams,
} from "./protocol.js";
import { PROTOCOL_VERSION } from "./protocol.js";
import { Skills } from "./skills.js";
import { Subscriptions } from "./subscriptions.js";
import type { Way } from "./transport.js";
import { Turns } from "./turns.js";
import { tell } from "./warn.js";

export interface ConnectOptions extends Way {
  /** Who the daemon's status says is there. */
  clientInfo?: ClientInfo;
  /** Decides held actions, of turns that this client asks for and of sessions that it watches. */
  approve?: Approve;
  /** How often a lost connection is tried to be made anew. Default 8, which is about ten seconds. */
  reconnects?: number;
  /** Is told how the connection stands. */
  onState?: (state: State, error?: unknown) => void;
  /** Milliseconds that each try to connect may take. Default 15000. */
  timeoutMs?: number;
  /** Gives the first try to connect up. */
  signal?: AbortSignal;
}

const RECONNECTS = 8;
const TIMEOUT = 15_000;

/** Connects to the daemon that all clients of the user share, and starts it if need be. */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { reconnects: attempts = RECONNECTS, timeoutMs = TIMEOUT, signal, onState } = options;
  const approvals = options.approve && new Approvals(options.approve);
  const [turns, listeners] = [new Turns(), new Listeners()];
  const ask: Ask = (method, params) => link.request(method, params);
  const [subscriptions, skills] = [new Subscriptions(ask), new Skills(ask)];

  const link: Link = await Link.open({
    way: options,
    who: who(options),
    attempts,
    timeoutMs,
    signal,
    notification(method, params) {
      if (method === "$/progress") turns.progress(params as ProgressParams);
      if (method === "conductor.approvalResolved") approvals?.resolved(params as ApprovalResolvedParams);
      const event = method === "conductor.event" ? asEvent(params) : undefined;
      if (event !== undefined) {
        turns.push(event);
        subscriptions.push(event);
      }
      listeners.tell(method, params);
    },
    async request(method, params, token) {
      if (method === "skills.call") return skills.call(params as SkillCallParams, token);
      if (method === "conductor.approval" && approvals) return approvals.ask(params as ApprovalParams, token);
      throw new ResponseError(ErrorCodes.MethodNotFound, `this client does not answer ${method}`);
    },
    again(askFirst) {
      skills.again(askFirst);
      subscriptions.again();
    },
    changed(state, error) {
      if (state !== "connected") {
        approvals?.lost();
        skills.lost();
      }
      if (state === "closed") subscriptions.end(error);
      void tell("onState", () => onState?.(state, error));
    },
  });

  const close = (): Promise<void> => {
    subscriptions.end();
    return link.close();
  };
  return new Client({ link, turns, listeners, subscriptions, skills, close });
}

function who({ clientInfo, approve, socket, cwd, env }: ConnectOptions): InitializeParams {
  const common = {
    clientInfo: clientInfo ?? { name: "open-think-typescript" },
    protocolVersion: PROTOCOL_VERSION,
    capabilities: { approvals: approve !== undefined, skills: true },
  };
  // The program that is started says where it was started; over a socket nobody else does.
  if (socket === undefined) return { ...common, processId: process.pid };
  return { ...common, initializationOptions: { ...(cwd && { cwd }), ...(env && { env }) } };
}
