//! Distances on the WGS 84 ellipsoid.
