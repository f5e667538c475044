"""Building with docker-py (Debian's python3-docker), against the daemon at DOCKER_HOST."""

import io
import os
import tarfile
import tempfile
import unittest

import docker
from docker.errors import APIError, BuildError


def texts(log):
    return "".join(line.get("stream", "") for line in log)


class Suite(unittest.TestCase):
    def setUp(self):
        self.client = docker.from_env(timeout=60)
        self.folder = tempfile.TemporaryDirectory(prefix="slipway-py-")

    def tearDown(self):
        self.client.close()
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_in(self, image, *command):
        return self.client.containers.run(image, list(command), remove=True, network_mode="none").decode()

    def test_path_with_ignored_files_arguments_labels_and_target(self):
        self.write(
            "sub/Other",
            "FROM busybox AS first\nARG WORD\nENV WORD=$WORD\nCOPY . /got\nRUN ls -a /got > /list\nFROM first\nRUN exit 9\n",
        )
        self.write("kept.txt", "kept")
        self.write("left.log", "left")
        self.write(".dockerignore", "*.log\n")
        image, log = self.client.images.build(
            path=self.folder.name,
            dockerfile="sub/Other",
            tag="py/path:1",
            buildargs={"WORD": "given", "ABSENT": None},
            labels={"of": "py"},
            target="first",
            rm=True,
            forcerm=True,
            pull=False,
            network_mode="none",
            shmsize=16 << 20,
            extra_hosts={"far.example": "192.0.2.9"},
            container_limits={"memory": 64 << 20, "memswap": 64 << 20, "cpushares": 512, "cpusetcpus": "0"},
        )
        self.assertEqual(image.tags, ["py/path:1"])
        self.assertEqual(image.labels, {"of": "py"})
        said = texts(log)
        self.assertIn("Successfully tagged py/path:1", said)
        self.assertIn("Removed intermediate container", said)
        self.assertEqual(self.run_in("py/path:1", "sh", "-c", "echo $WORD; cat /list"), "given\n.\n..\n.dockerignore\nkept.txt\nsub\n")

    def test_dockerfile_outside_of_the_path(self):
        self.write("context/file", "text")
        other = self.write("elsewhere/Dockerfile", "FROM busybox\nCOPY file /file\n")
        image, _ = self.client.images.build(path=os.path.join(self.folder.name, "context"), dockerfile=other)
        self.assertEqual(self.run_in(image.id, "cat", "/file"), "text")

    def test_dockerfile_alone(self):
        image, log = self.client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN echo alone > /word\n"), quiet=False)
        self.assertEqual(self.run_in(image.id, "cat", "/word"), "alone\n")
        self.assertIn("Step 2/2 : RUN echo alone > /word", texts(log))

    def test_own_archive_plain_and_packed(self):
        for encoding, mode in ((None, "w"), ("gzip", "w:gz"), ("bzip2", "w:bz2"), ("xz", "w:xz")):
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode=mode) as tar:
                for name, text in (("Dockerfile", b"FROM busybox\nCOPY word /word\n"), ("word", b"archived")):
                    entry = tarfile.TarInfo(name)
                    entry.size = len(text)
                    tar.addfile(entry, io.BytesIO(text))
            archive.seek(0)
            image, _ = self.client.images.build(fileobj=archive, custom_context=True, encoding=encoding)
            self.assertEqual(self.run_in(image.id, "cat", "/word"), "archived", encoding)

    def test_low_level_lines_decoded_or_not(self):
        dockerfile = b"FROM busybox\nRUN echo line\n"
        lines = list(self.client.api.build(fileobj=io.BytesIO(dockerfile), decode=True, nocache=True, rm=True))
        self.assertTrue(any("line\n" == line.get("stream") for line in lines), lines)
        self.assertTrue(any(line.get("aux", {}).get("ID", "").startswith("sha256:") for line in lines), lines)
        raw = b"".join(self.client.api.build(fileobj=io.BytesIO(dockerfile), rm=True))
        self.assertIn(b" ---> Using cache\\n", raw)

    def test_failures(self):
        with self.assertRaises(BuildError) as failure:
            self.client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN echo why; exit 7\n"))
        self.assertIn("returned a non-zero code: 7", failure.exception.msg)
        self.assertIn("why\n", texts(failure.exception.build_log))
        with self.assertRaises(APIError) as refused:
            self.client.images.build(fileobj=io.BytesIO(b"RUM x\n"))
        self.assertEqual(refused.exception.status_code, 400)
        with self.assertRaises(TypeError):
            self.client.images.build()

    def test_prune_builds(self):
        self.client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN echo pruned > /x\n"), tag="py/pruned")
        self.client.images.remove("py/pruned")
        self.assertGreater(self.client.api.prune_builds()["SpaceReclaimed"], -1)


if __name__ == "__main__":
    unittest.main()
