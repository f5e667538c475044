"""What programs do with docker-py (Debian's python3-docker), against the daemon at DOCKER_HOST."""

import datetime
import io
import os
import socket
import tarfile
import threading
import time
import unittest

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound


class Suite(unittest.TestCase):
    def setUp(self):
        self.client = docker.from_env(timeout=20)

    def tearDown(self):
        for container in self.client.containers.list(all=True):
            container.remove(force=True)
        self.client.close()

    def test_ping_version_info(self):
        self.assertTrue(self.client.ping())
        self.assertEqual(self.client.version()["Os"], "linux")
        self.assertEqual(self.client.info()["Swarm"]["LocalNodeState"], "inactive")

    def test_run_gives_output_or_raises(self):
        self.assertEqual(self.client.containers.run("busybox", "echo hello", remove=True), b"hello\n")
        with self.assertRaises(ContainerError) as failure:
            self.client.containers.run("busybox", ["sh", "-c", "echo wrong >&2; exit 5"], remove=True)
        self.assertEqual(failure.exception.exit_status, 5)
        self.assertEqual(failure.exception.stderr, b"wrong\n")

    def test_health_and_restart_policy(self):
        container = self.client.containers.run(
            "busybox",
            ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.05; done"],
            detach=True,
            healthcheck={"test": ["CMD", "true"], "interval": 200000000},
            restart_policy={"Name": "on-failure", "MaximumRetryCount": 5},
        )
        self.until(container, lambda: container.attrs["State"]["Health"]["Status"] == "healthy")
        self.assertEqual(container.attrs["State"]["Health"]["Log"][0]["ExitCode"], 0)
        self.assertEqual(container.attrs["HostConfig"]["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 5})
        container.exec_run(["sh", "-c", "kill -TERM 1"])
        self.until(container, lambda: container.attrs["RestartCount"] == 1 and container.status == "running")
        container.stop(timeout=5)
        self.until(container, lambda: container.status == "exited")
        self.assertEqual(container.attrs["State"]["ExitCode"], 3)

    def until(self, container, holds):
        for _ in range(400):
            container.reload()
            if holds():
                return
            time.sleep(0.05)
        self.fail(container.attrs["State"])

    def test_run_with_options(self):
        output = self.client.containers.run(
            "busybox",
            ["sh", "-c", "echo $X; id -u; hostname; pwd"],
            environment={"X": "1"},
            user="1000",
            hostname="box",
            working_dir="/tmp",
            network_mode="none",
            mem_limit="64m",
            read_only=True,
            tmpfs={"/scratch": "size=1m"},
            remove=True,
        )
        self.assertEqual(output, b"1\n1000\nbox\n/tmp\n")

    def test_rights_and_namespaces(self):
        donor = self.client.containers.run(
            "busybox", ["sleep", "60"], detach=True, ipc_mode="shareable", shm_size="1m", init=True
        )
        donor.exec_run(["sh", "-c", "echo shared > /dev/shm/note"])
        output = self.client.containers.run(
            "busybox",
            ["sh", "-c", "cat /dev/shm/note; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; touch /x"
             " || ps -o args | head -n 2 | tail -n 1"],
            remove=True, ipc_mode=f"container:{donor.id}", pid_mode=f"container:{donor.id}",
            cap_drop=["ALL"], cap_add=["NET_RAW"], read_only=True, security_opt=["no-new-privileges"],
        )
        self.assertEqual(
            output.decode().splitlines(),
            ["shared", "CapEff:\t0000000000002000", "NoNewPrivs:\t1", "/sbin/docker-init init -- sleep 60"],
        )
        with self.assertRaises(docker.errors.APIError) as refused:
            self.client.containers.run("busybox", ["true"], security_opt=["fly=1"])
        self.assertIn('invalid --security-opt 2: "fly=1"', str(refused.exception))

    def test_life(self):
        container = self.client.containers.run("busybox", "sleep 60", detach=True, name="life", labels={"k": "v"})
        self.assertEqual(container.status, "created")
        container.reload()
        self.assertEqual(container.status, "running")
        container.pause()
        container.reload()
        self.assertEqual(container.status, "paused")
        container.unpause()
        container.rename("other")
        self.assertIn("sleep 60", str(container.top()["Processes"]))
        container.kill(signal="SIGKILL")
        self.assertEqual(container.wait()["StatusCode"], 137)
        container.restart(timeout=0)
        container.stop(timeout=0)
        container.remove()
        with self.assertRaises(NotFound):
            self.client.containers.get("other")

    def test_logs_stream_and_tail(self):
        container = self.client.containers.run(
            "busybox", ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"], detach=True
        )
        self.assertEqual(b"".join(container.logs(stream=True, follow=True)), b"1\n2\n3\n")
        self.assertEqual(container.logs(tail=1), b"3\n")
        self.assertRegex(container.logs(tail=1, timestamps=True), rb"^\d{4}-.*Z 3\n$")

    def test_exec(self):
        container = self.client.containers.run("busybox", "sleep 60", detach=True)
        code, output = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 3"], demux=True)
        self.assertEqual((code, output), (3, (b"out\n", b"err\n")))
        self.assertEqual(container.exec_run("id -u", user="1000").output, b"1000\n")
        self.assertEqual(b"".join(container.exec_run("echo streamed", stream=True).output), b"streamed\n")

    def test_exec_socket_with_input(self):
        container = self.client.containers.run("busybox", "sleep 60", detach=True)
        execution = self.client.api.exec_create(container.id, "cat", stdin=True, tty=True)
        stream = self.client.api.exec_start(execution["Id"], socket=True, tty=True)
        connection = stream._sock
        connection.sendall(b"typed\n")
        connection.settimeout(10)
        received = b""
        while received.count(b"typed") < 2:
            received += connection.recv(4096)
        connection.shutdown(socket.SHUT_WR)
        connection.close()

    def test_lists_and_images(self):
        self.client.containers.create("busybox", labels={"tier": "db"}, name="found")
        self.client.containers.create("busybox", name="not-found")
        found = self.client.containers.list(all=True, filters={"label": "tier=db"})
        self.assertEqual([one.name for one in found], ["found"])
        image = self.client.images.get("busybox")
        self.assertIn("busybox:latest", image.tags)
        self.assertTrue(image.tag("again", "1"))
        self.assertTrue(image.history())
        archive = tarfile.open(fileobj=io.BytesIO(b"".join(image.save(named=True))))
        self.assertIn("manifest.json", archive.getnames())
        self.client.images.remove("again:1")
        with self.assertRaises(ImageNotFound):
            self.client.images.get("again:1")

    def test_stats_top_diff(self):
        container = self.client.containers.run("busybox", ["sh", "-c", "echo x >/new; exec sleep 60"], detach=True)
        once = container.stats(stream=False)
        self.assertEqual(once["id"], container.id)
        self.assertGreater(once["cpu_stats"]["system_cpu_usage"], once["precpu_stats"]["system_cpu_usage"])
        stream = container.stats(stream=True, decode=True)
        first, second = next(stream), next(stream)
        self.assertEqual(second["preread"], first["read"])
        stream.close()
        self.assertEqual(container.top(ps_args="-o pid,cmd")["Titles"], ["PID", "CMD"])
        self.assertEqual(container.diff(), [{"Path": "/new", "Kind": 1}])
        untouched = self.client.containers.create("busybox", "true")
        self.assertEqual(untouched.diff(), [])

    def test_limits_and_update(self):
        container = self.client.containers.run(
            "busybox", "sleep 600", detach=True, mem_limit="64m", cpu_shares=512, pids_limit=50,
            ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=200)], sysctls={"net.core.somaxconn": "99"})
        self.assertEqual(container.exec_run("sh -c 'ulimit -n; cat /proc/sys/net/core/somaxconn'").output, b"100\n99\n")
        self.assertEqual(container.update(mem_limit="96m", memswap_limit="128m", restart_policy={"Name": "always"})["Warnings"] or [], [])
        container.reload()
        host = container.attrs["HostConfig"]
        self.assertEqual((host["Memory"], host["MemorySwap"], host["CpuShares"], host["PidsLimit"]), (96 << 20, 128 << 20, 512, 50))
        self.assertEqual(host["RestartPolicy"]["Name"], "always")
        with self.assertRaisesRegex(docker.errors.APIError, "Cannot update container .*Memory limit should be smaller"):
            container.update(mem_limit="1g")
        container.remove(force=True)

    def test_files_and_commit(self):
        container = self.client.containers.create("busybox", ["cat", "/put/file"], name="filed")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            entry = tarfile.TarInfo("put/file")
            entry.size, entry.uid, entry.mode = 4, 12, 0o640
            archive.addfile(entry, io.BytesIO(b"from"))
        self.assertTrue(container.put_archive("/", packed.getvalue()))
        stream, facts = container.get_archive("/put/file")
        self.assertEqual((facts["name"], facts["size"], facts["mode"], facts["linkTarget"]), ("file", 4, 0o640, ""))
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            got = archive.getmember("file")
            self.assertEqual((archive.extractfile(got).read(), got.uid, got.mode), (b"from", 12, 0o640))
        self.assertEqual(container.get_archive("/put")[1]["mode"] >> 31, 1)
        with self.assertRaisesRegex(NotFound, "Could not find the file /none in container"):
            container.get_archive("/none")
        with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as archive:
            self.assertIn("put/file", archive.getnames())
        image = container.commit("filed", "1", message="by py", author="py", changes="ENV PY=1", conf={"Labels": {"by": "py"}})
        self.assertEqual(image.labels, {"by": "py"})
        self.assertIn("PY=1", image.attrs["Config"]["Env"])
        self.assertEqual((image.attrs["Comment"], image.attrs["Author"]), ("by py", "py"))
        self.assertEqual(self.client.containers.run("filed:1", remove=True), b"from")

    def test_exec_options(self):
        container = self.client.containers.run("busybox", "sleep 60", detach=True, cap_drop=["ALL"], user="app")
        script = "echo $X; pwd; id -u; grep -c 'CapEff:.*0000000000000000' /proc/self/status"
        plain = container.exec_run(["sh", "-c", script], environment={"X": "a b"}, workdir="/tmp")
        self.assertEqual(plain.output, b"a b\n/tmp\n1000\n1\n")
        strong = container.exec_run(["sh", "-c", script], environment=["X=1"], user="root", privileged=True)
        self.assertEqual((strong.exit_code, strong.output), (1, b"1\n/\n0\n0\n"))
        self.assertEqual(container.exec_run("test -t 1", tty=True).exit_code, 0)
        container.exec_run(["sh", "-c", "echo done >/tmp/detached"], detach=True)
        self.until(container, lambda: container.exec_run("cat /tmp/detached").output == b"done\n")
        with self.assertRaisesRegex(APIError, "Invalid detach keys"):
            self.client.api.exec_create(container.id, "true", detach_keys="nope")
        execution = self.client.api.exec_create(container.id, "sh -c 'exit 9'", detach_keys="ctrl-x")
        self.client.api.exec_start(execution["Id"])
        facts = self.client.api.exec_inspect(execution["Id"])
        self.assertEqual((facts["ExitCode"], facts["Running"], facts["ContainerID"]), (9, False, container.id))

    def test_wait_conditions(self):
        container = self.client.containers.create("busybox", ["sh", "-c", "sleep 0.3; exit 4"])
        self.assertEqual(container.wait(condition="not-running")["StatusCode"], 0)
        ends = {}
        waiting = threading.Thread(target=lambda: ends.update(next=container.wait(condition="next-exit")["StatusCode"]))
        waiting.start()
        time.sleep(0.2)
        container.start()
        waiting.join()
        self.assertEqual(ends, {"next": 4})
        removing = threading.Thread(target=lambda: ends.update(gone=container.wait(condition="removed")["StatusCode"]))
        removing.start()
        time.sleep(0.2)
        container.remove()
        removing.join()
        self.assertEqual(ends, {"next": 4, "gone": 4})
        with self.assertRaisesRegex(APIError, "invalid condition"):
            self.client.containers.create("busybox").wait(condition="nope")

    def test_logs_options(self):
        container = self.client.containers.run(
            "busybox", ["sh", "-c", "echo one; echo wrong >&2; sleep 2.1; echo two"], detach=True
        )
        container.wait()
        self.assertEqual(container.logs(stderr=False), b"one\ntwo\n")
        self.assertEqual(container.logs(stdout=False), b"wrong\n")
        stamps = [line.split(b" ", 1)[0].decode() for line in container.logs(timestamps=True).splitlines()]
        between = datetime.datetime.fromisoformat(stamps[2][:19])
        self.assertEqual(container.logs(since=between), b"two\n")
        self.assertEqual(container.logs(until=between, stderr=False), b"one\n")
        self.assertEqual(container.logs(tail=0), b"")

    def test_prune(self):
        kept = self.client.containers.run("busybox", "sleep 60", detach=True)
        for label in ["a", "b"]:
            self.client.containers.run("busybox", ["sh", "-c", "echo x >/file"], detach=True, labels=[label]).wait()
        some = self.client.containers.prune(filters={"label": ["a"]})
        self.assertEqual(len(some["ContainersDeleted"]), 1)
        self.assertGreater(some["SpaceReclaimed"], 0)
        self.assertEqual(len(self.client.containers.prune()["ContainersDeleted"]), 1)
        self.assertEqual(self.client.containers.list(all=True), [kept])

    def test_networks(self):
        pool = docker.types.IPAMPool(subnet="10.218.1.0/24", gateway="10.218.1.254")
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        network = self.client.networks.create("py", driver="bridge", ipam=ipam, labels={"suite": "py"})
        self.addCleanup(lambda: self.client.networks.get("py").remove())
        self.assertEqual([one.id for one in self.client.networks.list(filters={"label": "suite=py"})], [network.id])
        self.assertEqual(network.attrs["IPAM"]["Config"], [{"Subnet": "10.218.1.0/24", "Gateway": "10.218.1.254"}])
        with self.assertRaises(APIError) as failure:
            self.client.networks.create("py", check_duplicate=True)
        self.assertEqual(failure.exception.status_code, 409)
        first = self.client.containers.run("busybox", "sleep 60", detach=True, name="first", network="py")
        second = self.client.containers.run("busybox", "sleep 60", detach=True)
        network.connect(second, aliases=["other"], ipv4_address="10.218.1.77")
        code, output = first.exec_run("ping -c 1 -W 2 other")
        self.assertEqual(code, 0, output)
        network.reload()
        self.assertEqual({one.id for one in network.containers}, {first.id, second.id})
        second.reload()
        self.assertEqual(second.attrs["NetworkSettings"]["Networks"]["py"]["IPAddress"], "10.218.1.77")
        network.disconnect(second)
        self.assertNotEqual(first.exec_run("ping -c 1 -W 1 10.218.1.77")[0], 0)
        with self.assertRaises(APIError) as failure:
            network.remove()
        self.assertEqual(failure.exception.status_code, 403)
        for container in [first, second]:
            container.remove(force=True)
        idle = self.client.networks.create("idle")
        self.assertEqual(self.client.networks.prune(filters={"until": "0s"})["NetworksDeleted"].count("idle"), 1)
        with self.assertRaises(docker.errors.NotFound):
            idle.reload()
        self.client.networks.create("py")  # for the cleanup: the prune took it too

    def test_network_endpoints(self):
        api = self.client.api
        pool = docker.types.IPAMPool(subnet="10.218.3.0/24", iprange="10.218.3.128/25", aux_addresses={"nas": "10.218.3.200"})
        ipam = docker.types.IPAMConfig(driver="default", pool_configs=[pool], options={})
        options = {"com.docker.network.driver.mtu": "1400"}
        net = self.client.networks.create("ends", driver="bridge", ipam=ipam, internal=True, attachable=True, options=options)
        self.addCleanup(net.remove)
        self.assertEqual((net.attrs["Internal"], net.attrs["Attachable"], net.attrs["Options"]), (True, True, options))
        db = self.client.containers.run("busybox", "sleep 60", detach=True, name="db", network="ends", init=True)
        endpoint = api.create_endpoint_config(
            aliases=["www"], links={"db": "store"}, ipv4_address="10.218.3.9", link_local_ips=["169.254.9.9"]
        )
        host = api.create_host_config(network_mode="ends", init=True)
        config = api.create_networking_config({"ends": endpoint})
        created = api.create_container("busybox", "sleep 60", host_config=host, networking_config=config, name="web")
        web = self.client.containers.get(created["Id"])
        web.start()
        web.reload()
        settings = web.attrs["NetworkSettings"]["Networks"]["ends"]
        self.assertEqual(settings["IPAddress"], "10.218.3.9")
        self.assertEqual(settings["IPAMConfig"], {"IPv4Address": "10.218.3.9", "LinkLocalIPs": ["169.254.9.9"]})
        self.assertEqual(settings["Links"], ["db:store"])
        self.assertIn("www", settings["Aliases"])
        self.assertEqual(web.exec_run("ping -c 1 -W 2 store")[0], 0)
        self.assertEqual(db.exec_run("ping -c 1 -W 2 www")[0], 0)
        self.assertIn(b"mtu 1400", web.exec_run("ip link show eth0")[1])
        self.assertIn(b"169.254.9.9/16", web.exec_run("ip address show eth0")[1])
        self.assertEqual([one.name for one in self.client.networks.list(names=["ends"])], ["ends"])
        whole = self.client.networks.list(filters={"driver": "bridge", "type": "custom"}, greedy=True)
        self.assertEqual({one.id for one in whole[0].containers}, {web.id, db.id})
        with self.assertRaises(APIError) as failure:
            net.connect(web)
        self.assertEqual(failure.exception.status_code, 403)
        with self.assertRaises(docker.errors.NotFound):
            net.disconnect("nobody", force=True)

    def test_rights(self):
        options = {"security_opt": ["no-new-privileges:true"], "cap_add": ["NET_ADMIN"], "cap_drop": ["CHOWN"]}
        script = "ip link set lo down && grep NoNewPrivs /proc/self/status; chown 1 /tmp || hostname; readlink /proc/1/ns/uts"
        host = os.readlink("/proc/self/ns/uts")
        output = self.client.containers.run(
            "busybox", ["sh", "-c", script + " 2>/dev/null"], remove=True, stderr=False, uts_mode="host", ipc_mode="none", init=True, **options
        )
        self.assertEqual(output.decode().split(), ["NoNewPrivs:", "1", socket.gethostname(), host])

    def test_volumes(self):
        volume = self.client.volumes.create("py-data", labels={"a": "b"})
        self.assertEqual((volume.attrs["Driver"], volume.attrs["Labels"]), ("local", {"a": "b"}))
        memory = self.client.volumes.create(driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})
        self.assertIn("com.docker.volume.anonymous", memory.attrs["Labels"])
        mounts = [
            docker.types.Mount("/m", "py-data", type="volume", labels={"c": "d"}, no_copy=True),
            docker.types.Mount("/r", "/tmp", type="bind", read_only=True, propagation="rslave"),
            docker.types.Mount("/t", None, type="tmpfs", tmpfs_size="64k", tmpfs_mode=0o700),
        ]
        script = "echo text >/m/f; touch /r/x 2>/dev/null || echo locked; df -k /t /mem | grep -c tmpfs"
        output = self.client.containers.run(
            "busybox", ["sh", "-c", script], name="py-user", mounts=mounts, volumes={memory.name: {"bind": "/mem", "mode": "rw"}}
        )
        self.assertEqual(output, b"locked\n2\n")
        read = self.client.containers.run("busybox", "cat /m/f", volumes_from=["py-user:ro"], remove=True)
        self.assertEqual(read, b"text\n")
        with self.assertRaises(APIError) as failure:
            volume.remove()
        self.assertEqual(failure.exception.status_code, 409)
        self.assertIn("volume is in use - [", str(failure.exception))
        self.assertEqual([one.name for one in self.client.volumes.list(filters={"label": "a=b", "dangling": False})], ["py-data"])
        self.client.containers.get("py-user").remove(v=True)
        self.assertEqual(self.client.volumes.prune()["VolumesDeleted"], [memory.name])
        volume.remove()
        with self.assertRaises(NotFound):
            volume.reload()

    def test_errors(self):
        with self.assertRaises(ImageNotFound):
            self.client.containers.create("nothing:here")
        self.client.containers.create("busybox", name="twice")
        with self.assertRaises(APIError) as failure:
            self.client.containers.create("busybox", name="twice")
        self.assertEqual(failure.exception.status_code, 409)


if __name__ == "__main__":
    unittest.main()
