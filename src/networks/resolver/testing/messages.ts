import dnsPacket, { type DecodedPacket, type RecordType } from "dns-packet";
import type { ContainerNames } from "../container-names.ts";

/** A query's bytes: recursion desired; with `edns` bytes of UDP announced. */
export function queryOf(name: string, type: RecordType = "A", options: { id?: number; edns?: number } = {}): Buffer {
  return dnsPacket.encode({
    type: "query",
    id: options.id ?? 0x1234,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type, name }],
    ...(options.edns !== undefined && {
      additionals: [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: options.edns,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    }),
  });
}

/** What an answer says, for comparing. */
export function readAnswer(message: Buffer | undefined): {
  readonly id: number | undefined;
  readonly rcode: string;
  readonly data: unknown[];
  readonly packet: DecodedPacket & { rcode: string };
} {
  if (message === undefined) throw new Error("there is no answer");
  const packet = dnsPacket.decode(message) as DecodedPacket & { rcode: string };
  const data = (packet.answers ?? []).map((record) => (record as { data?: unknown }).data);
  return { id: packet.id, rcode: packet.rcode, data, packet };
}

/** A container in networks `n…`, each named `net-n…`; what is not given is empty. */
export function containerOf(
  id: string,
  networks: Readonly<Record<string, { names?: readonly string[]; ipv4?: string; ipv6?: string }>>,
  more: Partial<ContainerNames> = {},
): ContainerNames {
  const endpoints = Object.entries(networks).map(([network, { names = [id], ipv4, ipv6 }]) =>
    Object.assign({ network, networkName: `net-${network}`, names }, ipv4 && { ipv4 }, ipv6 && { ipv6 }),
  );
  return { id, endpoints, links: {}, servers: [], external: true, ...more };
}
