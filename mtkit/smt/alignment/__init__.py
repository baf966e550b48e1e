"""Word alignment: IBM Model 1, Model 2 with a diagonal prior, HMM, fertility."""
