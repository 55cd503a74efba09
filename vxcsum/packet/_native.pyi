from vxcsum.packet.columns import AnyArray, Columns

def scan(
    octets: AnyArray,
    offset: AnyArray,
    caplen: AnyArray,
    origlen: AnyArray,
    linktype: AnyArray,
    direction: AnyArray,
    ports: AnyArray,
    columns: Columns,
    fragments: AnyArray,
    first: int,
    last: int,
    /,
) -> tuple[int, int]: ...
def index_pcap(
    octets: AnyArray,
    start: int,
    stop: int,
    big_endian: bool,
    record_header: int,
    max_caplen: int,
    offset: AnyArray,
    caplen: AnyArray,
    origlen: AnyArray,
    seconds: AnyArray,
    fraction: AnyArray,
    /,
) -> tuple[int, int, int]: ...
def index_pcapng(
    octets: AnyArray,
    start: int,
    stop: int,
    big_endian: bool,
    max_caplen: int,
    offset: AnyArray,
    caplen: AnyArray,
    origlen: AnyArray,
    stamp: AnyArray,
    interface_id: AnyArray,
    flags: AnyArray,
    /,
) -> tuple[int, int, int]: ...
