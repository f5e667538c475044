/** A `--link` in two: `db:store` and `db`, which is its own alias. */
export function parseLink(text: string): { readonly container: string; readonly alias: string } {
  const [container = "", alias = container] = text.split(":");
  return { container, alias };
}
