"""The version of a source tree, the changelog, and the files of a release."""
