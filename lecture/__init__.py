"""The lecture's demo: trace, edit and compare, live before an audience. Not for students."""
