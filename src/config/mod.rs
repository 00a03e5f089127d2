//! The project folder's files: larum.yaml and channels/*.yaml.
