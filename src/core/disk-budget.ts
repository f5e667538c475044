import { Fault } from "./fault.ts";

/** How much room there may be used before what nobody needs is collected. */
export type DiskBudget =
  | { readonly kind: "off" }
  /** Of what Slipway itself has under its data root. */
  | { readonly kind: "size"; readonly bytes: number }
  /** Of the file system that the data root lies on, whoever uses it; 1 to 100. */
  | { readonly kind: "share"; readonly percent: number };

const units: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4 };

/** Reads `off`, `85%`, `20GB` (thousands, as `docker system df` counts) or `20GiB`. Fault `invalid` for anything else. */
export function parseDiskBudget(text: string): DiskBudget {
  if (text === "off") return { kind: "off" };
  const [, percent] = /^(\d{1,3})%$/.exec(text) ?? [];
  if (percent !== undefined && Number(percent) >= 1 && Number(percent) <= 100)
    return { kind: "share", percent: Number(percent) };
  const [, number, unit = "", binary] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?$/i.exec(text) ?? [];
  const bytes = Math.trunc(Number(number) * (binary === "" ? 1000 : 1024) ** (units[unit.toLowerCase()] ?? 0));
  if (number !== undefined && Number.isSafeInteger(bytes) && bytes >= leastBytes) return { kind: "size", bytes };
  throw new Fault("invalid", `invalid disk budget: ${text.slice(0, 60)}`, {
    remedy: "Give a size of at least 100MB such as 20GB, a share of the file system such as 85%, or off.",
  });
}

/** The budget as `parseDiskBudget` reads it. */
export function diskBudgetText(budget: DiskBudget): string {
  if (budget.kind === "off") return "off";
  if (budget.kind === "share") return `${budget.percent}%`;
  const { bytes } = budget;
  const unit = (["T", "G", "M"] as const).find((letter) => bytes % sizeOf(letter) === 0);
  return unit === undefined ? `${bytes}B` : `${bytes / sizeOf(unit)}${unit}B`;
}

function sizeOf(unit: string): number {
  return 1000 ** (units[unit.toLowerCase()] ?? 0);
}

/** Less is a slip of the fingers: one image would not fit. */
const leastBytes = 100_000_000;
