/** The text cut to that many characters, the last of them `…` when something is missing. */
export function ellipsis(text: string, limit: number): string {
  const characters = Array.from(text);
  return characters.length <= limit ? text : `${characters.slice(0, Math.max(0, limit - 1)).join("")}…`;
}
