from ._hrf import canonical_hrf as canonical_hrf
