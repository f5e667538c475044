/** Whether an interface may be called so: the kernel's bounds, and nothing that `ip -batch` or nft would read as more than a name. */
export function isLinkName(text: string): boolean {
  return /^[\w.@+-]{1,15}$/.test(text) && text !== "." && text !== "..";
}
