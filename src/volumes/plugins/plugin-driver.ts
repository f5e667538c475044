import { isAbsolute } from "node:path";
import { Fault } from "#core/fault";
import type { VolumeDriver } from "../driver.ts";
import type { VolumeRecord } from "../records.ts";
import type { VolumeSource } from "../volumes.ts";
import { callPlugin } from "./client.ts";

const quickMs = 10_000;
/** It may have to attach a disk first. */
const patientMs = 120_000;

/** Volumes of a plugin, which has them mounted on the host while somebody uses them. */
export class PluginDriver implements VolumeDriver {
  readonly name: string;
  readonly #plugin: { readonly name: string; readonly socket: string };

  constructor(name: string, socket: string) {
    this.name = name;
    this.#plugin = { name, socket };
  }

  /** Fault `notFound` when it is a plugin for something else. */
  async activate(): Promise<void> {
    const { Implements: kinds } = await this.#call("Plugin.Activate", {}, quickMs);
    if (Array.isArray(kinds) && kinds.includes("VolumeDriver")) return;
    throw new Fault("notFound", `error looking up volume plugin ${this.name}: the plugin is no VolumeDriver`);
  }

  async create(name: string, options: VolumeRecord["options"]): Promise<void> {
    await this.#call("VolumeDriver.Create", { Name: name, Opts: options }, patientMs);
  }

  async remove(name: string, forget: () => Promise<void>): Promise<void> {
    await this.#call("VolumeDriver.Remove", { Name: name }, patientMs);
    await forget();
  }

  async mount({ name }: VolumeRecord, user: string, again: boolean): Promise<VolumeSource> {
    const answer = again
      ? await this.#call("VolumeDriver.Path", { Name: name }, quickMs)
      : await this.#call("VolumeDriver.Mount", { Name: name, ID: user }, patientMs);
    const path = textOf(answer["Mountpoint"]);
    if (isAbsolute(path)) return { kind: "folder", path, flags: [] };
    throw new Fault("internal", `the volume plugin ${this.name} mounted ${name} nowhere: ${JSON.stringify(path)}`);
  }

  async unmount({ name }: VolumeRecord, user: string): Promise<void> {
    await this.#call("VolumeDriver.Unmount", { Name: name, ID: user }, patientMs);
  }

  async look({ name }: VolumeRecord): ReturnType<VolumeDriver["look"]> {
    const { Volume: volume } = await this.#call("VolumeDriver.Get", { Name: name }, quickMs);
    const { Mountpoint: mountpoint, Status: status } = objectOf(volume);
    return {
      mountpoint: textOf(mountpoint),
      ...(typeof status === "object" && status !== null && { status: status as Record<string, unknown> }),
    };
  }

  /** The names of all that it has. */
  async names(): Promise<string[]> {
    const { Volumes: volumes } = await this.#call("VolumeDriver.List", {}, quickMs);
    if (!Array.isArray(volumes)) return [];
    return volumes.map((volume: unknown) => textOf(objectOf(volume)["Name"])).filter((name) => name !== "");
  }

  async #call(method: string, body: object, timeoutMs: number): Promise<Readonly<Record<string, unknown>>> {
    return await callPlugin(this.#plugin, method, body, timeoutMs);
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
