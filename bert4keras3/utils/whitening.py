"""BERT-whitening: sentence vectors with mean zero and the unit matrix as covariance."""

import os
from pathlib import Path

import numpy as np

LEAST = 1e-10  # of the largest variance: less is rounding, not a direction


class Whitening:
    """Linear map after which all directions vary alike and independently.

    Cosines of raw sentence vectors are all high, since a few directions dominate;
    after whitening they compare better, without any training and with fewer numbers:
        w = Whitening(256).update(vectors)
        cosines = unit_rows(w.transform(a)) @ unit_rows(w.transform(b)).T
    n_components: how many directions stay, those that vary most; None = all that vary
    (of states behind a LayerNorm, one less than their size).
    Mean and covariance are gathered batch by batch in float64, for any number of texts
    in memory D * D. https://kexue.fm/archives/8069, arXiv 2103.15316
    """

    def __init__(self, n_components: int | None = None):
        if n_components is not None and n_components < 1:
            raise ValueError(
                f"n_components must be 1 or more, or None. Received: {n_components!r}"
            )
        self.n_components = n_components
        self.count = 0
        self.mean = self._products = self._map = None

    @property
    def covariance(self) -> np.ndarray:
        """Covariance (D, D) of the vectors so far (divided by their number)."""
        self._check_count()
        return self._products / self.count

    def update(self, vectors) -> "Whitening":
        """Add vectors (N, D) to the statistics; returns the object itself.

        Raises ValueError for another shape or size, NaN and infinity.
        """
        x = self._checked(vectors).astype("float64")
        if not len(x):
            return self
        mean = x.mean(axis=0)
        rest = x - mean
        products = rest.T @ rest
        if self.count:
            # Sums of squares around a common mean, not of the raw numbers: these
            # would cancel (Chan, Golub, LeVeque 1979).
            total = self.count + len(x)
            gap = mean - self.mean
            products += self._products + np.outer(gap, gap) * (
                self.count * len(x) / total
            )
            mean = self.mean + gap * (len(x) / total)
        self.count += len(x)
        self.mean, self._products, self._map = mean, products, None
        return self

    def transform(self, vectors) -> np.ndarray:
        """Whitened vectors, float32 (N, n_components); not of unit length.

        Raises ValueError before any `update`, and if none or fewer directions vary than
        are asked for: then there were too few texts.
        """
        self._check_count()
        x = self._checked(vectors)
        if self._map is None:
            self._map = self._find_map()
        return ((x - self.mean) @ self._map).astype("float32")

    def _find_map(self):
        variances, directions = np.linalg.eigh(self.covariance)
        variances, directions = variances[::-1], directions[:, ::-1]
        vary = int((variances > LEAST * max(variances[0], 0.0)).sum())
        wanted = self.n_components or vary
        if wanted > vary or not vary:
            raise ValueError(
                f"Only {vary} of {len(variances)} directions vary in the "
                f"{self.count} vectors, too few for whitening to {self.n_components}. "
                "Add vectors, or pass a smaller n_components."
            )
        return directions[:, :wanted] / np.sqrt(variances[:wanted])

    def save(self, path: str | os.PathLike, overwrite: bool = False) -> None:
        """Write the statistics to an .npz file, to be loaded and updated further.

        Raises ValueError for another ending or before any `update`, FileExistsError
        for a file that exists, unless overwrite.
        """
        self._check_count()
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"The path must end in .npz. Received: {path}")
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists. Pass overwrite=True to replace it.")
        with open(path, "wb") as file:
            np.savez(
                file,
                n_components=self.n_components or 0,
                count=self.count,
                mean=self.mean,
                products=self._products,
            )

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Whitening":
        """Read what `save` wrote; ValueError for another file."""
        with np.load(path, allow_pickle=False) as data:
            names = {"n_components", "count", "mean", "products"}
            if set(data.files) != names:
                raise ValueError(
                    f"{path} is no saved Whitening: it must hold {sorted(names)}. "
                    f"It holds {sorted(data.files)}"
                )
            whitening = cls(int(data["n_components"]) or None)
            whitening.count = int(data["count"])
            whitening.mean, whitening._products = data["mean"], data["products"]
        return whitening

    def _check_count(self):
        if not self.count:
            raise ValueError("Whitening has seen no vectors yet. Call update first.")

    def _checked(self, vectors):
        x = np.asarray(vectors)
        size = x.shape[-1] if self.mean is None else len(self.mean)
        if x.ndim != 2 or x.shape[1] != size:
            raise ValueError(
                f"Whitening needs vectors (N, {'D' if self.mean is None else size}). "
                f"Received: shape {x.shape}"
            )
        if not np.isfinite(x).all():
            raise ValueError("Whitening received NaN or infinity: the model is broken.")
        return x
