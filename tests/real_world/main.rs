//! The built program against clients and upstreams that others wrote.
