"""Builds with docker-py (Debian's python3-docker), against the daemon at DOCKER_HOST."""

import io
import os
import tempfile
import unittest

import docker
from docker.errors import APIError, BuildError


class Suite(unittest.TestCase):
    def setUp(self):
        self.client = docker.from_env(timeout=60)

    def tearDown(self):
        self.client.close()

    def context(self, dockerfile, **files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            with open(os.path.join(folder.name, name), "w") as file:
                file.write(text)
        return folder.name

    def test_build_of_a_folder(self):
        path = self.context("FROM busybox\nARG WHO\nCOPY note /note\nRUN echo $WHO >> /note\n", note="hello ")
        image, logs = self.client.images.build(path=path, tag="noted:py", buildargs={"WHO": "py"}, labels={"a": "b"})
        self.assertIn("noted:py", image.tags)
        self.assertEqual(image.labels["a"], "b")
        self.assertTrue(any("Step 4/4" in line.get("stream", "") for line in logs))
        self.assertEqual(self.client.containers.run(image.id, "cat /note", remove=True), b"hello py\n")

    def test_build_of_a_file_object(self):
        image, _ = self.client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN echo alone > /x\n"), rm=True)
        self.assertEqual(self.client.containers.run(image.id, "cat /x", remove=True), b"alone\n")

    def test_build_of_a_packed_context(self):
        image, _ = self.client.images.build(path=self.context("FROM busybox\nCOPY x /x\n", x="packed"), gzip=True)
        self.assertEqual(self.client.containers.run(image.id, "cat /x", remove=True), b"packed")

    def test_failures(self):
        with self.assertRaises(BuildError) as failure:
            self.client.images.build(path=self.context("FROM busybox\nRUN exit 3\n"))
        self.assertIn("returned a non-zero code: 3", str(failure.exception))
        with self.assertRaises((APIError, BuildError)):
            self.client.images.build(path=self.context("FORM busybox\n"))

    def test_prune(self):
        self.client.images.build(path=self.context("FROM busybox\nRUN echo gone > /x\n"), nocache=True)
        self.assertGreaterEqual(self.client.api.prune_builds()["SpaceReclaimed"], 0)


if __name__ == "__main__":
    unittest.main()
