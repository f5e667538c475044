import { Fault } from "#core/fault";

/** Refuses names that a local volume cannot have, in Docker's words. */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw new Fault(
      "invalid",
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  }
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= maxLength) return;
  const shown = name.slice(0, 100);
  if (name.length > maxLength) throw new Fault("invalid", `create ${shown}…: volume name is too long`);
  throw new Fault(
    "invalid",
    `create ${shown}: "${shown}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

/** What a folder's name can be. */
const maxLength = 255;
