"""The methods to compare with: each on the same images and the same network's features as ours."""

from experiments.peers.base import Finder, Found, Observation, Peer
from experiments.peers.ddt import DescriptorTransform
from experiments.peers.lost import LostPeer
from experiments.peers.mean import ChannelMean
from experiments.peers.norm_representer import NormRepresenter
from experiments.peers.representer import Representer
from experiments.peers.scda import SelectedDescriptors
from experiments.peers.token_cut import TokenCutPeer
from experiments.peers.trivial import CentredBox, WholeImage

__all__ = ["FEATURE_PEERS", "LOOK_TWICE", "TOKEN_PEERS", "TRIVIAL_PEERS", "Finder", "Found", "Observation", "Peer"]

TRIVIAL_PEERS: dict[str, Peer] = {"whole image": WholeImage(), "centred box": CentredBox(0.7)}
"""Peers that look at no pixel."""

FEATURE_PEERS: dict[str, Peer] = {
    "channel mean": ChannelMean(),
    "SCDA": SelectedDescriptors(),
    "DDT": DescriptorTransform(),
    "representer": Representer(),
    "l2 norm + representer": NormRepresenter(),
}
"""Peers that use the network's features, by name."""

LOOK_TWICE = ("DDT", "representer", "l2 norm + representer")
"""Those of them that look at the set, and so can take a second look as ours does."""

TOKEN_PEERS: dict[str, Peer] = {"LOST": LostPeer(), "TokenCut": TokenCutPeer()}
"""Peers for the patch tokens of self-supervised transformers, of which they were made; on other features they are no
fair peers."""
