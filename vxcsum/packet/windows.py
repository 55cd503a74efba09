"""Gathering header octets and summing spans of a block, without a Python loop over frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.packet.columns import SLACK

if TYPE_CHECKING:
    import numpy.typing as npt

    from vxcsum.packet.columns import I64, U8, U16, U32, U64, AnyArray

#: Octets of a little-endian word that lie before position ``p & 3`` in it.
_HEAD_MASK = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], np.uint64)


class Window:
    """The same ``width`` octets of every row; fields are read at aligned places.

    Parameters
    ----------
    octets : uint8[n, width]
        ``width`` a multiple of 8.
    """

    def __init__(self, octets: U8) -> None:
        self.octets = octets

    def __len__(self) -> int:
        return len(self.octets)

    def rows(self, index: Any) -> Window:
        """Return some rows."""
        width = self.octets.shape[1]
        items: AnyArray = self.octets.view(f"V{width}")[:, 0]
        return Window(items[index].view(np.uint8).reshape(-1, width))

    def u8(self, at: int) -> U8:
        """Return an octet of each row."""
        return self.octets[:, at]

    def u16(self, at: int) -> U16:
        """Return a big-endian field at an even place."""
        return self.octets.view(">u2")[:, at // 2].astype(np.uint16)

    def u32(self, at: int) -> U32:
        """Return a big-endian field at a multiple of four."""
        return self.octets.view(">u4")[:, at // 4].astype(np.uint32)

    def u64(self, at: int) -> U64:
        """Return a big-endian field at a multiple of eight."""
        return self.octets.view(">u8")[:, at // 8].astype(np.uint64)

    def sum(self, start: int, stop: int) -> U64:
        """Return the sum between two multiples of four, as big-endian words of 32 bits.

        Modulo 0xffff that is the sum of the words of 16 bits.
        """
        words: npt.NDArray[Any] = self.octets.view(">u4")
        total = words[:, start // 4].astype(np.uint64)
        for at in range(start // 4 + 1, stop // 4):
            total += words[:, at]
        return total


class Octets:
    """The octets of a block, with at least `SLACK` readable octets behind the last frame."""

    def __init__(self, octets: U8) -> None:
        if octets.size < SLACK or not octets.flags.c_contiguous:
            problem = f"a block needs contiguous octets and {SLACK} of slack"
            raise ValueError(problem)
        self.octets = octets
        self._words = octets[: octets.size & ~3].view("<u4")

    def window(self, position: I64, width: int) -> Window:
        """Return ``width`` octets (a multiple of 8, at most `SLACK`) from each position on.

        One fancy index with items of ``width`` octets costs little more than one with single
        octets, so a header is fetched whole and its fields are strided views.
        """
        items: AnyArray = np.ndarray(
            (self.octets.size - width + 1,), f"V{width}", self.octets, strides=(1,)
        )
        return Window(items[position].view(np.uint8).reshape(position.size, width))

    def chain_sums(self, bounds: I64) -> U64:
        """Return the word sums between neighbouring bounds of each row.

        Parameters
        ----------
        bounds : int64[n, k]
            Positions that do not decrease along a row.

        Returns
        -------
        uint64[n, k - 1]
            Sums of little-endian 16-bit words laid over the *block*, not folded: they add up
            along a row. `network_order` turns them into residues.

        Notes
        -----
        Each bound is rounded down to a word, so the sums of words telescope, and one masked
        word per bound puts back what the rounding moved.
        """
        rows, count = bounds.shape
        word = bounds >> 2
        if rows == 0:
            return np.zeros((0, count - 1), np.uint64)
        words = self._words[: int(word.max()) + 1]  # the last span goes on to the end
        total: U64 = np.add.reduceat(words, word.ravel(), dtype=np.uint64)
        total = total.reshape(rows, count)[:, :-1]
        total *= word[:, 1:] != word[:, :-1]  # reduceat gives one word for an empty span
        head = self._words[word] & _HEAD_MASK[bounds & 3]
        total += head[:, 1:]
        total -= head[:, :-1]
        return total


def _remainder(total: AnyArray) -> AnyArray:
    """Return ``total % 0xffff``: NumPy multiplies where it divides by a constant, but not for %."""
    modulus = total.dtype.type(0xFFFF)
    remainder: AnyArray = total - total // modulus * modulus
    return remainder


def fold(total: U64) -> U16:
    """Return sums of big-endian words as canonical residues."""
    return _remainder(total).astype(np.uint16)


def network_order(total: U64, start: I64) -> U16:
    """Fold block-order sums into residues of big-endian words that begin at ``start``."""
    residue = _remainder(total).astype(np.uint32)
    # A span that begins at an odd position has its octets in the other lanes (RFC 1071 2(B));
    # changing lanes is multiplication by 256.
    residue *= np.where(start & 1, np.uint32(1), np.uint32(256))
    return _remainder(residue).astype(np.uint16)
