/** Whether a kernel release such as `6.1.0-13-amd64` is that version or newer. */
export function kernelAtLeast(version: string, major: number, minor: number): boolean {
  const [, first = "0", second = "0"] = /^([0-9]+)\.([0-9]+)/.exec(version) ?? [];
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}
