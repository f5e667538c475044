import type { MonitorSlot, Shim, SlotNamespaces } from "#host";

/** Makes that many slots at once, or none. */
export async function prepareSlots(
  shim: Pick<Shim, "prepareMonitor">,
  namespaces: SlotNamespaces,
  count: number,
): Promise<MonitorSlot[]> {
  const tries = await Promise.allSettled(
    Array.from({ length: count }, async () => await shim.prepareMonitor(namespaces)),
  );
  const slots = tries.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = tries.find((one) => one.status === "rejected");
  if (failed === undefined) return slots;
  await Promise.allSettled(slots.map(async (slot) => await slot[Symbol.asyncDispose]()));
  throw failed.reason;
}
