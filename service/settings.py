"""All settings of the service: one frozen object, read once and passed down."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from colocalization.cores import MOST_LANES, usable_cores
from colocalization.engine import Device
from colocalization.images import ImageLimits
from colocalization.model_choice import PrecisionChoice
from colocalization.outside_prior import PriorKind
from colocalization.results import Effort

__all__ = ["CPU_PROVIDER", "LogFormat", "LogLevel", "Settings"]

CPU_PROVIDER = "CPUExecutionProvider"
"""ONNX Runtime's name of the provider that runs on the CPU."""

LogFormat = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]

_PREFIX = "COLOCALIZE_"
_MIB = 2**20


class Settings(BaseSettings):
    """Settings of `colocalize serve`.

    Each is read from the environment variable `COLOCALIZE_` + its name in capitals; keyword arguments (the command
    line's flags) win over the environment. Sizes are in bytes, times in seconds.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 takes all of the machine's.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    root_path: str = Field(
        "",
        description="Prefix of a reverse proxy below which the service stands, such as /colo; for `/openapi.json`, "
        "and where the proxy does not take it off.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses and networks of reverse proxies whose X-Forwarded-For and -Proto are believed, "
        "comma-separated; * believes everyone.",
    )
    workers: int = Field(1, ge=1, le=64, description="Processes behind the port, each with a model of its own.")

    model: Path | None = Field(None, description="Model file; the one in the box if left out.")
    precision: PrecisionChoice = Field(
        "auto",
        description="Of the model in the box. auto: int8, at twice the speed, on CPUs with 8-bit dot products, else "
        "fp32. A file named as the model has a precision of its own.",
    )
    prior: Path | None = Field(
        None,
        description="ONNX file of a saliency network of rembg's kind, which joins the model's own prior. "
        "Such networks are trained with masks.",
    )
    prior_kind: PriorKind | None = Field(
        None, description="What kind of network the prior is, where its file's name does not tell it."
    )
    device: Device = Field("auto", description="Where the network runs.")
    effort: Effort = Field(
        "full",
        description="full: mode common looks a second time at each image in which the model's prior does not confirm "
        "the first look; fast: only at those whose outlines it learns from, with coarser boxes; thorough: as full, and "
        "where the set shows many small things, nine looks at tiles of each image: two to five times the time, more "
        "with many boxes.",
    )
    require_gpu: bool = Field(False, description="Refuse to start where CUDA cannot be used.")
    gpus: Annotated[tuple[int, ...], NoDecode] = Field(
        (), description="CUDA devices, comma-separated; worker i takes the one at i modulo their number."
    )
    lanes: int = Field(
        0,
        ge=0,
        description="Runs of the network side by side; 0 takes 1 on a GPU and a core each on the CPU, at most 4.",
    )
    threads: int = Field(
        0,
        ge=0,
        description="Threads of one operator of the network; 0 takes this worker's cores for a run that is alone, and "
        "so many while there are several that each lane has one.",
    )
    pool_threads: int = Field(
        0, ge=0, description="Threads that decode images and make boxes; 0 takes this worker's cores, at least 2."
    )
    reload: bool = Field(False, description="Load the model file again on SIGHUP.")

    max_images: int = Field(64, ge=1, description="Most images in one request.")
    max_bytes: int = Field(ImageLimits().max_bytes, ge=1, description="Largest encoded image.")
    max_request_bytes: int = Field(128 * _MIB, ge=1, description="Largest request body.")
    max_buffered_bytes: int = Field(
        512 * _MIB,
        ge=1,
        description="Most bytes of requests held at one time in a worker; answers that are not read yet count too.",
    )
    max_pixels: int = Field(ImageLimits().max_pixels, ge=1, description="Most pixels (width x height) of an image.")
    max_boxes: int = Field(100, ge=1, description="Largest `max_boxes` that a request may ask for.")
    max_name_length: int = Field(255, ge=1, description="Longest file name of an image, in characters.")

    url_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts (HOST or HOST:PORT), comma-separated, from which images are fetched that a request gives as "
        "URLs; none if empty. Their addresses must be public ones.",
    )

    label_studio_url: str = Field(
        "",
        description="Address of the Label Studio for which the service is a machine learning backend, at /labelstudio; "
        "off if empty. It may be an address inside.",
    )
    label_studio_token: SecretStr = Field(
        SecretStr(""), description="Token with which images and annotations are read from that Label Studio."
    )

    objects_dir: Path | None = Field(
        None,
        description="Folder in which fitted objects are kept, shared by all workers; off if left out, and nothing is "
        "written.",
    )
    max_objects: int = Field(1000, ge=1, description="Most objects kept.")
    max_objects_bytes: int = Field(256 * _MIB, ge=1, description="Most bytes of all kept objects together.")

    max_batch: int = Field(
        0, ge=0, description="Most images in one run of the network; 0 takes 1 on the CPU and 16 on a GPU."
    )
    batch_wait: float = Field(
        0.005, ge=0, le=1, description="How long a batch waits for images that are being decoded."
    )
    max_pending_images: int = Field(
        128, ge=1, description="Most images accepted and not yet answered in a worker; beyond, requests get 429."
    )
    request_timeout: float = Field(60.0, gt=0, description="From the end of the upload to the answer; beyond, 504.")
    upload_timeout: float = Field(60.0, gt=0, description="For a request body to arrive; beyond, 408.")
    header_timeout: float = Field(10.0, gt=0, description="For a request's header to arrive; beyond, the line is cut.")
    send_timeout: float = Field(60.0, gt=0, description="For a client to take its answer; beyond, the line is cut.")
    keep_alive_timeout: float = Field(15.0, gt=0, description="How long an idle connection is kept.")
    hang_timeout: float = Field(
        120.0,
        gt=0,
        description="A run of the network that takes longer makes /livez fail, so that the worker is replaced.",
    )
    drain_delay: float = Field(
        0.0, ge=0, description="After SIGTERM, how long new requests are still taken while /readyz already fails."
    )
    drain_timeout: float = Field(
        60.0, gt=0, description="After SIGTERM, how long accepted requests may take to finish."
    )

    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys that clients must show: name=key, comma-separated. Empty: no keys are asked for.",
    )
    api_keys_file: Path | None = Field(None, description="File with one name=key a line, besides `api_keys`.")
    read_only_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Names of API keys, comma-separated, that may look for kept objects but not change them."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may call the service, comma-separated; off if empty."
    )

    log_format: LogFormat = Field("json", description="json: one object a line; text: for people.")
    log_level: LogLevel = Field("info", description="Least level that is logged.")
    otlp_endpoint: str | None = Field(
        None, min_length=1, description="URL of an OpenTelemetry collector (OTLP over HTTP); needs the extra `otel`."
    )

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if host != host.strip() or not host:
            raise ValueError("not an address")
        return host

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        path = path.rstrip("/")
        if path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
            raise ValueError("not a prefix")
        return path

    @field_validator("url_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?", host):
                raise ValueError(f"{host!r} is no host")
        return hosts

    @field_validator("label_studio_url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:_-]+(/[A-Za-z0-9._~/-]*)?", url):
            raise ValueError(f"{url!r} is not of the form http://HOST:PORT")
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if proxy != "*":
                ip_network(proxy)  # raises ValueError; uvicorn would take it for a name and trust nobody
        return proxies

    @field_validator("gpus", "read_only_keys", "cors_origins", "trusted_proxies", "url_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_pending_images < self.max_images:
            raise ValueError(
                f"{self.variable('max_pending_images')} ({self.max_pending_images}) must be at least "
                f"{self.variable('max_images')} ({self.max_images}), or the largest request could never be accepted"
            )
        if self.max_buffered_bytes < self.max_request_bytes:
            raise ValueError(
                f"{self.variable('max_buffered_bytes')} ({self.max_buffered_bytes}) must be at least "
                f"{self.variable('max_request_bytes')} ({self.max_request_bytes})"
            )
        if self.label_studio_url and not self.label_studio_token.get_secret_value():
            raise ValueError(
                f"{self.variable('label_studio_token')} must be set where {self.variable('label_studio_url')} is"
            )
        return self

    def image_limits(self) -> ImageLimits:
        """What one image may cost."""
        return ImageLimits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    def batch_size(self, provider: str) -> int:
        """Most images in one run of the network.

        A CPU's cores are busy with one image each already: larger batches cost memory and waiting and gain nothing.

        Args:
            provider: ONNX Runtime's name of the execution provider.
        """
        return self.max_batch or (1 if provider == CPU_PROVIDER else 16)

    def lane_count(self, provider: str) -> int:
        """Runs of the network side by side in each worker.

        Args:
            provider: ONNX Runtime's name of the execution provider.
        """
        return self.lanes or (min(self._cores(), MOST_LANES) if provider == CPU_PROVIDER else 1)

    def network_threads(self) -> int:
        """Threads of one operator in each worker, on the CPU, where several runs go on.

        As set, or a lane's own and as many more as leave each lane one when all run.
        """
        return self.threads or max(1, self._cores() - self.lane_count(CPU_PROVIDER) + 1)

    def threads_alone(self) -> int:
        """Threads of one operator in each worker, on the CPU, for a run that is alone."""
        return self.threads or self._cores()

    def pool_size(self) -> int:
        """Threads that decode and make boxes in each worker: as set, or the worker's share of the cores, at least 2.

        Two, so that one image that is slow to decode does not hold up all others.
        """
        return self.pool_threads or max(2, self._cores())

    def _cores(self) -> int:
        return max(1, usable_cores() // self.workers)

    @staticmethod
    def variable(name: str) -> str:
        """The environment variable of a setting.

        Example:
            >>> Settings.variable("max_images")
            'COLOCALIZE_MAX_IMAGES'
        """
        return f"{_PREFIX}{name}".upper()

    @classmethod
    def unknown_variables(cls, environment: Mapping[str, str] | None = None) -> list[str]:
        """Variables that look like settings but are none: most likely misspelt.

        Args:
            environment: Names and values; the process's own if left out.

        Example:
            >>> Settings.unknown_variables({"COLOCALIZE_PORT": "80", "COLOCALIZE_PROT": "80", "HOME": "/"})
            ['COLOCALIZE_PROT']
        """
        names = os.environ if environment is None else environment
        known = {cls.variable(name) for name in cls.model_fields}
        return sorted(name for name in names if name.upper().startswith(_PREFIX) and name.upper() not in known)
