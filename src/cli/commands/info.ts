import { maxApiVersion, productVersion } from "#api/wire";
import type { InfoAnswer } from "#api/client";
import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { shaped } from "../output/shape.ts";
import { binarySize } from "../output/size.ts";
import { write } from "../surroundings.ts";
import { jsonText } from "../template/functions.ts";
import { compileTemplate } from "../template/template.ts";

/** `slipway info`. */
export const info = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show facts of the engine and its machine",
  flags: { format: text("json, or a Go template", { short: "f" }) },
  args: [0, 0],
  run: async ({ around, values }) => {
    const template = values.format === "" || values.format === "json" ? undefined : compileTemplate(values.format);
    const facts = await (await around.client()).system.info();
    const all = {
      ...facts,
      ClientInfo: {
        Version: productVersion,
        DefaultAPIVersion: maxApiVersion,
        Context: "default",
        Plugins: [],
        Warnings: null,
      },
    };
    if (template !== undefined) await write(around.stdout, `${template.render(shaped("info", all))}\n`);
    else if (values.format === "json") await write(around.stdout, `${jsonText(all)}\n`);
    else {
      await write(around.stdout, infoText(facts));
      for (const warning of facts.Warnings ?? []) await write(around.stderr, `${warning}\n`);
    }
    return 0;
  },
});

function infoText(facts: InfoAnswer): string {
  const lines: string[] = ["Client:", ` Version:    ${productVersion}`, "", "Server:"];
  const add = (name: string, value: string | number | boolean | undefined, depth = 1): void => {
    if (value !== undefined && value !== "") lines.push(`${" ".repeat(depth)}${name}: ${String(value)}`);
  };
  add("Containers", facts.Containers);
  add("Running", facts.ContainersRunning, 2);
  add("Paused", facts.ContainersPaused, 2);
  add("Stopped", facts.ContainersStopped, 2);
  add("Images", facts.Images);
  add("Server Version", facts.ServerVersion);
  add("Storage Driver", facts.Driver);
  for (const [name, value] of facts.DriverStatus ?? []) add(name, value, 2);
  add("Logging Driver", facts.LoggingDriver);
  add("Cgroup Driver", facts.CgroupDriver);
  add("Cgroup Version", facts.CgroupVersion);
  lines.push(" Plugins:");
  add("Volume", (facts.Plugins.Volume ?? []).join(" "), 2);
  add("Network", (facts.Plugins.Network ?? []).join(" "), 2);
  add("Log", (facts.Plugins.Log ?? []).join(" "), 2);
  add("Swarm", facts.Swarm.LocalNodeState);
  add("Runtimes", Object.keys(facts.Runtimes ?? {}).join(" "));
  add("Default Runtime", facts.DefaultRuntime);
  add("Init Binary", facts.InitBinary);
  if (facts.FirewallBackend !== undefined) {
    lines.push(` Firewall Backend: ${facts.FirewallBackend.Driver}`);
    lines.push(...facts.FirewallBackend.Info.map(([name, value]) => `  ${name}: ${value}`));
  }
  lines.push(" Security Options:");
  for (const option of facts.SecurityOptions ?? []) lines.push(...securityLines(option));
  add("Kernel Version", facts.KernelVersion);
  add("Operating System", facts.OperatingSystem);
  add("OSType", facts.OSType);
  add("Architecture", facts.Architecture);
  add("CPUs", facts.NCPU);
  add("Total Memory", binarySize(facts.MemTotal));
  add("Name", facts.Name);
  add("ID", facts.ID);
  add("Docker Root Dir", facts.DockerRootDir);
  add("Debug Mode", facts.Debug);
  add("HTTP Proxy", facts.HttpProxy);
  add("HTTPS Proxy", facts.HttpsProxy);
  add("No Proxy", facts.NoProxy);
  if ((facts.Labels ?? []).length > 0) lines.push(" Labels:", ...facts.Labels.map((label) => `  ${label}`));
  add("Experimental", facts.ExperimentalBuild);
  lines.push(...registryLines(facts));
  add("Live Restore Enabled", facts.LiveRestoreEnabled);
  return `${lines.join("\n")}\n`;
}

function securityLines(option: string): string[] {
  const parts = option.split(",").map((part) => part.split("=", 2));
  const name = parts.find(([key]) => key === "name")?.[1] ?? option;
  return [
    `  ${name}`,
    ...parts
      .filter(([key]) => key !== "name")
      .map(([key = "", value = ""]) => `   ${key === "profile" ? "Profile" : key}: ${value}`),
  ];
}

function registryLines({ RegistryConfig }: InfoAnswer): string[] {
  if (RegistryConfig === undefined || RegistryConfig === null) return [];
  const hosts = Object.values(RegistryConfig.IndexConfigs ?? {})
    .filter(({ Secure }) => !Secure)
    .map(({ Name }) => Name);
  const insecure = [...hosts, ...(RegistryConfig.InsecureRegistryCIDRs ?? [])];
  const mirrors = RegistryConfig.Mirrors ?? [];
  return [
    ...(insecure.length > 0 ? [" Insecure Registries:", ...insecure.map((name) => `  ${name}`)] : []),
    ...(mirrors.length > 0 ? [" Registry Mirrors:", ...mirrors.map((name) => `  ${name}`)] : []),
  ];
}
