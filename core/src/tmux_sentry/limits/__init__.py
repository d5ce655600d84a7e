"""When a usage limit ends: what agents say of it, and the zone that it is read in."""
