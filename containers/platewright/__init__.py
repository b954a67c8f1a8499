"""The commands of an installed Platewright; in a wheel also the toolkit's own files, in toolkit/."""
