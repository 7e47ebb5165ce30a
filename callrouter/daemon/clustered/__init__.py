"""A daemon that is one of several: its place in the cluster, and its routers one after another."""
