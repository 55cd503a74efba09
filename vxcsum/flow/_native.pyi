from vxcsum.packet.columns import AnyArray, Columns

def follow(
    columns: Columns,
    rows: int,
    connections: AnyArray,
    slots: AnyArray,
    segments: AnyArray,
    syn_row: AnyArray,
    syn_connection: AnyArray,
    count: int,
    seed: int,
    /,
) -> tuple[int, int, int]: ...
