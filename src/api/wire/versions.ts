/** The oldest Engine API version that is served. */
export const minApiVersion = "1.24";

/** The newest Engine API version that is served; requests without a version get it. */
export const maxApiVersion = "1.51";

/** The Docker release whose behaviour the API has; clients read it as the server's version. */
export const engineVersion = "28.5.2";

/** Slipway's own version. */
export const productVersion = "0.1.0";

/** An Engine API version such as 1.43, as a number that compares: 143 (1.9 is 109). */
export type ApiVersion = number & { readonly __apiVersion: unique symbol };

/** Reads `1.43`; undefined when the text is no version. */
export function parseApiVersion(text: string): ApiVersion | undefined {
  const [, major, minor] = /^(\d{1,3})\.(\d{1,2})$/.exec(text) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return (Number(major) * 100 + Number(minor)) as ApiVersion;
}

/** The version as clients write it: `1.43`. */
export function apiVersionText(version: ApiVersion): string {
  return `${Math.floor(version / 100)}.${version % 100}`;
}

/** A version known to be well formed, such as one in our own source. */
export function apiVersion(text: string): ApiVersion {
  const version = parseApiVersion(text);
  if (version === undefined) throw new TypeError(`not an API version: ${text}`);
  return version;
}
