"""What crosses a wire: pure translation between bytes and models, without sockets, files or clocks."""
