import { decide, failure } from "./answer.ts";
import type { ContainerNames } from "./container-names.ts";
import { Forwarder } from "./forward.ts";
import { ForwardSlots } from "./forward-slots.ts";
import type { HostResolvers } from "./host-resolvers.ts";
import type { NamesPicture } from "./names-view.ts";
import type { Query } from "./packets.ts";
import type { Answer, QueryConnection } from "./query-connection.ts";
import type { MessageRecord } from "./records.ts";
import { upstreamsOf } from "./resolv-conf.ts";

/** The limits of Slipway: sockets for all, queries under way and waiting for each container. */
const slotLimits = { total: 512, eachAsker: 64, waitingOfEachAsker: 256 };

/** What answers the monitors' messages: from the picture of the moment, else from outside. */
export function openAnswers(
  current: { readonly picture: NamesPicture },
  hostResolvers: HostResolvers,
  onUnexpected: (error: unknown) => void,
): Answer {
  const forwarder = new Forwarder();
  const slots = new ForwardSlots<QueryConnection>(slotLimits);
  let turn = 0;
  const forward = async (
    connection: QueryConnection,
    record: MessageRecord,
    query: Query,
    asker: ContainerNames,
  ): Promise<void> => {
    const upstreams = asker.servers.length > 0 ? upstreamsOf(asker.servers) : hostResolvers.now();
    const answer = await slots.run(connection, async () => await forwarder.ask(query, record.transport, upstreams));
    connection.send({ ...record, message: answer ?? failure(query, record.transport).message });
  };
  return (connection, containerId, record) => {
    turn = (turn + 1) & 0x7fffffff;
    const decision = decide(current.picture, containerId, record.transport, record.message, turn);
    if (decision.kind === "answer") connection.send({ ...record, message: decision.message });
    else if (decision.kind === "forward") {
      forward(connection, record, decision.query, decision.asker).catch(onUnexpected);
    }
  };
}
