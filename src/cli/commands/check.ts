import { defineCommand } from "../command.ts";
import { toggle } from "../flags/flag.ts";
import { print } from "../surroundings.ts";

/** `slipway system check`. */
export const check = defineCommand({
  usage: "[OPTIONS]",
  summary: "Check everything that is stored against its digests and records",
  description:
    "Reads every blob. Ends with code 0 when all is sound or was repaired, else with 1. --repair removes what belongs to\nnobody, sets damaged blobs aside so that a pull brings them again, and unpacks lost layers; never anything of yours.",
  flags: { repair: toggle("Mend what can be mended") },
  args: [0, 0],
  run: async ({ around, values }) => {
    const findings = await (await around.client()).system.check({ repair: values.repair });
    const counts = { repaired: 0, repairable: 0, left: 0 };
    for await (const { Outcome, Remedy, Text } of findings) {
      counts[Outcome]++;
      await print(around, `${marks[Outcome]} ${Text}${Remedy === undefined ? "" : `\n  ${Remedy}`}`);
    }
    await print(around, summary(counts));
    return counts.left + counts.repairable === 0 ? 0 : 1;
  },
});

const marks = { repaired: "✓ repaired:", repairable: "✗", left: "✗" } as const;

function summary({ left, repairable, repaired }: Readonly<Record<"left" | "repairable" | "repaired", number>>): string {
  const total = left + repairable + repaired;
  if (total === 0) return "All is sound.";
  const parts = [
    ...(repaired > 0 ? [`${repaired} repaired`] : []),
    ...(repairable > 0 ? [`${repairable} to be mended with --repair`] : []),
    ...(left > 0 ? [`${left} to be seen to`] : []),
  ];
  return `${total} finding${total === 1 ? "" : "s"}: ${parts.join(", ")}.`;
}
