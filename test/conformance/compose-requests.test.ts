import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiAnswer, startDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";

/**
 * What Docker Compose 2.40.3 sends for a project of networks, as recorded from it: its package is not in the release that these tests
 * are made for. Null and empty fields are in it on purpose.
 */
const project = "com.docker.compose.project";

function networkBody(name: string, more: object): object {
  return {
    Driver: "",
    Scope: "",
    IPAM: null,
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigOnly: false,
    ConfigFrom: null,
    Options: null,
    Labels: { "com.docker.compose.network": name, [project]: "shop", "com.docker.compose.version": "2.40.3" },
    Name: `shop_${name}`,
    ...more,
  };
}

const endpointBody = {
  IPAMConfig: null,
  Links: null,
  Aliases: null,
  MacAddress: "",
  DriverOpts: null,
  GwPriority: 0,
  NetworkID: "",
  EndpointID: "",
  Gateway: "",
  IPAddress: "",
  IPPrefixLen: 0,
  IPv6Gateway: "",
  GlobalIPv6Address: "",
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
};

interface Service {
  readonly service: string;
  readonly command: readonly string[];
  readonly ports?: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[]>>;
  readonly host?: object;
  readonly labels?: object;
  readonly endpoints?: Readonly<Record<string, object>>;
}

function containerBody({ service, command, ports = {}, host = {}, labels = {}, endpoints }: Service): object {
  return {
    Hostname: "",
    Domainname: "",
    User: "",
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    ...(Object.keys(ports).length > 0 && {
      ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
    }),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: null,
    Cmd: command,
    Image: "busybox:latest",
    Volumes: null,
    WorkingDir: "",
    Entrypoint: null,
    OnBuild: null,
    Labels: {
      "com.docker.compose.container-number": "1",
      "com.docker.compose.oneoff": "False",
      [project]: "shop",
      "com.docker.compose.service": service,
      ...labels,
    },
    HostConfig: {
      Binds: null,
      ContainerIDFile: "",
      LogConfig: { Type: "", Config: null },
      NetworkMode: "shop_back",
      PortBindings: ports,
      RestartPolicy: { Name: "", MaximumRetryCount: 0 },
      AutoRemove: false,
      ConsoleSize: [0, 0],
      CgroupnsMode: "",
      Dns: null,
      DnsOptions: null,
      DnsSearch: null,
      ExtraHosts: [],
      IpcMode: "",
      Links: null,
      PidMode: "",
      UTSMode: "",
      UsernsMode: "",
      MemorySwappiness: null,
      OomKillDisable: false,
      PidsLimit: null,
      Init: true,
      ...host,
    },
    ...(endpoints !== undefined && { NetworkingConfig: { EndpointsConfig: endpoints } }),
  };
}

test("compose: up, recreate with another network and the same address, replicas, network_mode service, down", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const send = async (status: number, method: string, path: string, body?: object): Promise<ApiAnswer["body"]> => {
    const answer = await daemon.api(method, `/v1.51${path}`, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    return answer.body;
  };
  const create = async (name: string, service: Service): Promise<string> =>
    (await send(201, "POST", `/containers/create?name=${name}`, containerBody(service))).Id;
  const start = async (id: string): Promise<void> => await send(204, "POST", `/containers/${id}/start`);
  const filter = (filters: object): string => `filters=${encodeURIComponent(JSON.stringify(filters))}`;

  await send(404, "GET", "/networks/shop_back");
  assert.deepEqual(await send(200, "GET", `/networks?${filter({ name: { shop_back: true } })}`), []);
  const pool = { Subnet: "10.232.7.0/24", IPRange: "10.232.7.128/25", Gateway: "10.232.7.1" };
  const config = [{ ...pool, AuxiliaryAddresses: { nas: "10.232.7.130" } }];
  const ipam = { Driver: "default", Options: null, Config: config };
  await send(201, "POST", "/networks/create", networkBody("back", { IPAM: ipam }));
  const name = { "com.docker.network.bridge.name": "slwfront0" };
  const front = networkBody("front", { Driver: "bridge", EnableIPv6: true, Options: name });
  await send(201, "POST", "/networks/create", front);
  await send(201, "POST", "/networks/create", networkBody("vault", { Internal: true }));
  await send(409, "POST", "/networks/create", networkBody("vault", { Internal: true }));
  const labelled = { label: { "com.docker.compose.network=back": true, [`${project}=shop`]: true } };
  const [listed] = await send(200, "GET", `/networks?${filter(labelled)}`);
  assert.deepEqual(listed.IPAM, { Driver: "default", Options: {}, Config: config });
  const options = { Options: name, EnableIPv6: true, EnableIPv4: true, Driver: "bridge" };
  const inspected = await send(200, "GET", "/networks/shop_front");
  assert.deepEqual(Object.fromEntries(Object.keys(options).map((key) => [key, inspected[key]])), options);

  const db = await create("shop-db-1", {
    service: "db",
    command: ["sleep", "600"],
    endpoints: { shop_back: { ...endpointBody, Aliases: ["shop-db-1", "db"] } },
  });
  await start(db);
  const links = ["shop-db-1:database", "shop-db-1:db-1", "shop-db-1:shop-db-1"];
  const web: Service = {
    service: "web",
    command: ["sh", "-c", "mkdir -p /w; echo web > /w/index.html; exec httpd -f -p 80 -h /w"],
    ports: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "18180-18189" }] },
    host: { Links: links, ExtraHosts: ["gw.example:host-gateway", "other:10.1.2.3"] },
    endpoints: {
      shop_back: {
        ...endpointBody,
        IPAMConfig: { IPv4Address: "10.232.7.9" },
        Links: links,
        Aliases: ["shop-web-1", "web"],
        IPAddress: "10.232.7.9",
      },
      shop_front: { ...endpointBody, IPAMConfig: {}, Links: links, Aliases: ["shop-web-1", "web", "www"] },
    },
  };
  const first = await create("shop-web-1", web);
  await start(first);
  const side = await create("shop-side-1", {
    service: "side",
    command: ["sleep", "600"],
    host: { NetworkMode: `container:${first}` },
  });
  await start(side);
  const inside = async (container: string, ...command: readonly string[]): Promise<string> =>
    await said(daemon, "exec", container, ...command);
  assert.equal(await inside("shop-side-1", "wget", "-qO-", "http://www/"), "web");
  await inside("shop-web-1", "ping", "-c", "1", "-W", "2", "database");
  const hosts = await inside("shop-web-1", "cat", "/etc/hosts");
  for (const line of [/10\.232\.7\.1\tgw\.example/, /10\.1\.2\.3\tother/]) assert.match(hosts, line);

  const replicas = ["shop-many-1", "shop-many-2", "shop-many-3"];
  await Promise.all(
    replicas.map(async (each) => {
      const endpoint = { ...endpointBody, Aliases: [each, "many"] };
      const ports = { "80/tcp": [{ HostIp: "", HostPort: "18190-18195" }] };
      const endpoints = { shop_back: endpoint, shop_vault: endpoint };
      await start(await create(each, { service: "many", command: ["sleep", "600"], ports, endpoints }));
    }),
  );
  const found = await inside("shop-web-1", "nslookup", "many", "127.0.0.11");
  assert.equal(new Set(found.match(/10\.232\.7\.\d+/g)).size, 3, found);
  const published = await Promise.all(replicas.map(async (each) => await said(daemon, "port", each, "80")));
  assert.equal(new Set(published).size, 3, published.join(" "));

  // The driver's options changed: the network is taken away from running containers, made again, and the service recreated.
  await send(204, "POST", `/containers/${side}/stop?t=0`);
  await send(204, "POST", `/containers/${first}/stop?t=0`);
  await send(200, "POST", "/networks/shop_front/disconnect", { Container: first, Force: true });
  await send(204, "DELETE", "/networks/shop_front");
  await send(201, "POST", "/networks/create", { ...front, Attachable: true });
  await send(200, "POST", "/networks/shop_front/connect", { Container: first });
  const short = first.slice(0, 12);
  const second = await create(`${short}_shop-web-1`, { ...web, labels: { "com.docker.compose.replace": "web-1" } });
  await send(204, "DELETE", `/containers/${first}?force=1`);
  await send(204, "POST", `/containers/${short}_shop-web-1/rename?name=shop-web-1`);
  await start(second);
  assert.equal(await inside("shop-many-1", "wget", "-qO-", "http://web/"), "web");
  const { NetworkSettings: settings } = await send(200, "GET", "/containers/shop-web-1/json");
  assert.equal(settings.Networks.shop_back.IPAddress, "10.232.7.9");
  assert.deepEqual(settings.Networks.shop_back.IPAMConfig, { IPv4Address: "10.232.7.9" });
  assert.deepEqual(settings.Networks.shop_front.Aliases, ["shop-web-1", "web", "www"]);
  assert.deepEqual(settings.Ports, { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "18180" }] });

  const ofProject = { label: { [`${project}=shop`]: true, "com.docker.compose.oneoff=False": true } };
  const all = await send(200, "GET", `/containers/json?all=1&${filter(ofProject)}`);
  assert.equal(all.length, 6);
  for (const { Id: id } of all) await send(204, "DELETE", `/containers/${id}?force=1`);
  for (const each of ["back", "front", "vault"]) await send(204, "DELETE", `/networks/shop_${each}`);
});
