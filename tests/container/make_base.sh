#!/usr/bin/env bash
# Makes the image that the Dockerfile's PYTHON_IMAGE needs (Debian 12 with Python 3.11 and its venv module), for machines
# that reach Debian's packages but no container registry.
#
# Usage: make_base.sh IMAGE
# Needs root, debootstrap and buildah, which keeps its images where the environment tells it to.
set -euo pipefail

image=${1:?usage: make_base.sh IMAGE}
rootfs=$(mktemp -d --tmpdir="${TMPDIR:-/var/tmp}" colocalize-base.XXXXXX)
trap 'rm -rf "$rootfs"' EXIT

debootstrap --variant=minbase --include=python3,python3-venv bookworm "$rootfs"
rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/*

container=$(buildah from scratch)
trap 'rm -rf "$rootfs"; buildah rm "$container" > /dev/null' EXIT
buildah add --quiet "$container" "$rootfs" /
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet "$container" "$image"
