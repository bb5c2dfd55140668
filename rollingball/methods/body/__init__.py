"""The ball as a rigid body with mass, inertia, gravity and friction."""
