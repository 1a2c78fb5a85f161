// Putting a client together.

import { ErrorCodes, ResponseError } from "vscode-jsonrpc/node";

import type { Approve } from "./approvals.js";
import { Approvals } from "./approvals.js";
import { Client } from "./client.js";
import { asEvent } from "./events.js";
import type { Handlers } from "./connection.js";
import type { State } from "./link.js";
import { Link } from "./link.js";
import { Listeners } from "./listeners.js";
import type { ApprovalParams, ApprovalResolvedParams, ClientInfo, EventParams, InitializeParams } from "./protocol.js";
import { PROTOCOL_VERSION } from "./protocol.js";
import { Subscriptions } from "./subscriptions.js";
import type { Way } from "./transport.js";
import { Turns } from "./turns.js";

export interface ConnectOptions extends Way {
  /** Who the daemon's status says is there. */
  clientInfo?: ClientInfo;
  /** Decides held actions, of turns that this client asks for and of sessions that it watches. */
  approve?: Approve;
  /** How often a lost connection is tried to be made anew. Default 8, which is about ten seconds. */
  reconnects?: number;
  /** Is told how the connection for requests stands. */
  onState?: (state: State, error?: unknown) => void;
}

const RECONNECTS = 8;

/** Connects to the daemon that all clients of the user share, and starts it if need be. */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { reconnects: attempts = RECONNECTS, onState = () => undefined } = options;
  const approvals = options.approve && new Approvals(options.approve);
  const [turns, listeners] = [new Turns(), new Listeners()];
  const shared = { way: options, who: who(options), attempts };

  const link = await Link.open({
    ...shared,
    ...handlers(approvals, (event) => turns.push(event), listeners),
    again: () => undefined,
    changed: (state, error) => {
      if (state !== "connected") approvals?.lost();
      onState(state, error);
    },
  });

  let watching: Promise<Link> | undefined;
  const subscriptions: Subscriptions = new Subscriptions(async (method, params) => {
    watching ??= Link.open({
      ...shared,
      ...handlers(approvals, (event) => subscriptions.push(event)),
      again: () => subscriptions.again(),
      changed: (state, error) => {
        if (state !== "closed") return;
        watching = undefined;
        subscriptions.end(error);
      },
    });
    const opened = watching;
    // One that could not be opened is opened by whoever asks next.
    opened.catch(() => watching === opened && (watching = undefined));
    return (await opened).request(method, params);
  });

  const close = async (): Promise<void> => {
    subscriptions.end();
    const watch = await watching?.catch(() => undefined);
    await Promise.all([link.close(), watch?.close()]);
  };
  return new Client({ link, turns, listeners, subscriptions, close });
}

function who({ clientInfo, approve, socket, cwd, env }: ConnectOptions): InitializeParams {
  const common = {
    clientInfo: clientInfo ?? { name: "open-think-typescript" },
    protocolVersion: PROTOCOL_VERSION,
    capabilities: { approvals: approve !== undefined },
  };
  // The program that is started says where it was started; over a socket nobody else does.
  if (socket === undefined) return { ...common, processId: process.pid };
  return { ...common, initializationOptions: { ...(cwd && { cwd }), ...(env && { env }) } };
}

function handlers(
  approvals: Approvals | undefined,
  push: (event: EventParams) => void,
  listeners?: Listeners,
): Handlers {
  return {
    notification(method, params) {
      const event = method === "conductor.event" ? asEvent(params) : undefined;
      if (event !== undefined) push(event);
      if (method === "conductor.approvalResolved") approvals?.resolved(params as ApprovalResolvedParams);
      listeners?.tell(method, params);
    },
    async request(method, params) {
      if (method === "conductor.approval" && approvals !== undefined) return approvals.ask(params as ApprovalParams);
      throw new ResponseError(ErrorCodes.MethodNotFound, `this client does not answer ${method}`);
    },
  };
}
