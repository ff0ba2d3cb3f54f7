# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Logistic function
@author Proofmill
@license Apache-2.0
@dev Stateless; written by `python -m tools.write_function_tables`. Entry i is round(2^24 σ(i / 64)) for
     i = 0 … 1024, in four bytes, eight to a word; zeros fill the last word. Below zero σ(-x) = 1 - σ(x), to the
     last bit of an entry.
"""

LIMIT: constant(int256) = 16 << 16
STEPS: constant(uint256) = 1024  # on each side of zero
ONE: constant(uint256) = 1 << 24
TABLE: constant(bytes32[129]) = [
    0x008000000080ffff0081fff50082ffdc0083ffab0084ff590085fee00086fe37,
    0x0087fd560088fc360089face008af917008bf708008cf49b008df1c7008eee85,
    0x008feacd0090e6970091e1dd0092dc970093d6bc0094d0480095c9300096c170,
    0x0097b9000098afd80099a5f2009a9b47009b8fd0009c8387009d7666009e6865,
    0x009f597f00a049ad00a138e900a2272d00a3147300a400b600a4ebf000a5d61b,
    0x00a6bf3100a7a72e00a88e0d00a973c700aa585900ab3bbd00ac1dee00acfee9,
    0x00addea800aebd2700af9a6200b0765500b150fc00b22a5300b3025600b3d903,
    0x00b4ae5400b5824700b654d900b7260700b7f5cd00b8c42a00b9911900ba5c99,
    0x00bb26a800bbef4200bcb66600bd7c1100be404200bf02f700bfc42e00c083e5,
    0x00c1421c00c1fed000c2ba0000c373ac00c42bd200c4e27100c5978900c64b19,
    0x00c6fd2000c7ad9d00c85c9100c909fc00c9b5dc00ca603200cb08fe00cbb040,
    0x00cc55f800ccfa2700cd9ccc00ce3de900cedd7e00cf7b8c00d0181300d0b314,
    0x00d14c9000d1e48800d27afd00d30ff000d3a36200d4355500d4c5ca00d554c3,
    0x00d5e24000d66e4300d6f8ce00d781e300d8098200d88faf00d9146a00d997b6,
    0x00da199400da9a0700db191000db96b100dc12ec00dc8dc500dd073c00dd7f53,
    0x00ddf60e00de6b6e00dedf7600df522800dfc38700e0339400e0a25200e10fc3,
    0x00e17beb00e1e6cb00e2506600e2b8bf00e31fd700e385b200e3ea5300e44dbb,
    0x00e4afed00e510ec00e570bb00e5cf5c00e62cd200e6891f00e6e44600e73e4a,
    0x00e7972d00e7eef300e8459d00e89b2f00e8efaa00e9431300e9956b00e9e6b4,
    0x00ea36f300ea862900ead45900eb218500eb6db100ebb8df00ec031200ec4c4b,
    0x00ec948f00ecdbdf00ed223e00ed67ae00edac3300edefce00ee328300ee7454,
    0x00eeb54300eef55200ef348500ef72de00efb06000efed0c00f028e500f063ee,
    0x00f09e2900f0d79900f1103f00f1481f00f17f3a00f1b59300f1eb2c00f22008,
    0x00f2542900f2879000f2ba4100f2ec3e00f31d8800f34e2200f37e0e00f3ad4f,
    0x00f3dbe600f409d500f4371f00f463c600f48fcb00f4bb3200f4e5fb00f51028,
    0x00f539bd00f562ba00f58b2300f5b2f700f5da3b00f600ee00f6271400f64caf,
    0x00f671bf00f6964700f6ba4800f6ddc500f700bf00f7233800f7453200f766ae,
    0x00f787ad00f7a83300f7c84000f7e7d500f806f500f825a100f843db00f861a4,
    0x00f87efe00f89beb00f8b86b00f8d48000f8f02c00f90b7000f9264e00f940c7,
    0x00f95adc00f9748f00f98de100f9a6d400f9bf6900f9d7a000f9ef7d00fa06ff,
    0x00fa1e2800fa34f900fa4b7400fa619900fa776b00fa8cea00faa21600fab6f3,
    0x00facb8000fadfbe00faf3b000fb075500fb1ab000fb2dc100fb408800fb5308,
    0x00fb654100fb773500fb88e400fb9a4f00fbab7700fbbc5d00fbcd0300fbdd68,
    0x00fbed8f00fbfd7800fc0d2300fc1c9200fc2bc600fc3abf00fc497e00fc5805,
    0x00fc665300fc746b00fc824c00fc8ff700fc9d6e00fcaab000fcb7c000fcc49c,
    0x00fcd14800fcddc100fcea0b00fcf62500fd021000fd0dcd00fd195d00fd24bf,
    0x00fd2ff600fd3b0100fd45e100fd509600fd5b2200fd658500fd6fc000fd79d3,
    0x00fd83bf00fd8d8400fd972300fda09d00fda9f100fdb32200fdbc2e00fdc517,
    0x00fdcdde00fdd68200fddf0400fde76600fdefa600fdf7c700fdffc700fe07a8,
    0x00fe0f6b00fe170f00fe1e9500fe25fe00fe2d4a00fe347a00fe3b8d00fe4284,
    0x00fe496100fe502200fe56c900fe5d5600fe63c900fe6a2300fe706400fe768c,
    0x00fe7c9d00fe829500fe887600fe8e4000fe93f400fe999100fe9f1800fea489,
    0x00fea9e500feaf2c00feb45e00feb97b00febe8500fec37b00fec85d00fecd2c,
    0x00fed1e800fed69200fedb2900fedfae00fee42100fee88300feecd400fef114,
    0x00fef54200fef96100fefd6f00ff016d00ff055c00ff093b00ff0d0b00ff10cb,
    0x00ff147d00ff182100ff1bb600ff1f3d00ff22b600ff262100ff297f00ff2cd0,
    0x00ff301300ff334a00ff367400ff399100ff3ca300ff3fa800ff42a100ff458e,
    0x00ff487000ff4b4700ff4e1200ff50d200ff538800ff563300ff58d300ff5b69,
    0x00ff5df400ff607600ff62ee00ff655b00ff67c000ff6a1b00ff6c6c00ff6eb5,
    0x00ff70f400ff732b00ff755800ff777e00ff799a00ff7baf00ff7dbb00ff7fbf,
    0x00ff81bb00ff83af00ff859b00ff878000ff895e00ff8b3400ff8d0200ff8eca,
    0x00ff908b00ff924400ff93f700ff95a300ff974900ff98e800ff9a8000ff9c12,
    0x00ff9d9e00ff9f2400ffa0a400ffa21e00ffa39200ffa50000ffa66900ffa7cc,
    0x00ffa92a00ffaa8200ffabd500ffad2300ffae6b00ffafae00ffb0ed00ffb226,
    0x00ffb35b00ffb48b00ffb5b600ffb6dc00ffb7fe00ffb91c00ffba3500ffbb4a,
    0x00ffbc5a00ffbd6600ffbe6e00ffbf7200ffc07200ffc16e00ffc26600ffc35b,
    0x00ffc44b00ffc53800ffc62100ffc70600ffc7e800ffc8c700ffc9a200ffca79,
    0x00ffcb4e00ffcc1f00ffccec00ffcdb700ffce7e00ffcf4300ffd00400ffd0c2,
    0x00ffd17e00ffd23600ffd2ec00ffd39f00ffd44f00ffd4fc00ffd5a700ffd64e,
    0x00ffd6f400ffd79700ffd83700ffd8d500ffd97000ffda0900ffdaa000ffdb34,
    0x00ffdbc600ffdc5600ffdce300ffdd6e00ffddf800ffde7f00ffdf0300ffdf86,
    0x00ffe00700ffe08600ffe10300ffe17e00ffe1f700ffe26e00ffe2e300ffe357,
    0x00ffe3c800ffe43800ffe4a700ffe51300ffe57e00ffe5e700ffe64f00ffe6b5,
    0x00ffe71900ffe77c00ffe7dd00ffe83d00ffe89b00ffe8f800ffe95300ffe9ad,
    0x00ffea0600ffea5d00ffeab300ffeb0700ffeb5b00ffebac00ffebfd00ffec4c,
    0x00ffec9b00ffece800ffed3300ffed7e00ffedc700ffee1000ffee5700ffee9d,
    0x00ffeee200ffef2600ffef6900ffefab00ffefeb00fff02b00fff06a00fff0a8,
    0x00fff0e500fff12100fff15c00fff19600fff1cf00fff20700fff23f00fff275,
    0x00fff2ab00fff2e000fff31400fff34700fff37a00fff3ab00fff3dc00fff40d,
    0x00fff43c00fff46b00fff49900fff4c600fff4f200fff51e00fff54a00fff574,
    0x00fff59e00fff5c700fff5f000fff61800fff63f00fff66600fff68c00fff6b1,
    0x00fff6d600fff6fb00fff71e00fff74200fff76400fff78600fff7a800fff7c9,
    0x00fff7ea00fff80a00fff82900fff84900fff86700fff88500fff8a300fff8c0,
    0x00fff8dd00fff8f900fff91500fff93100fff94c00fff96600fff98000fff99a,
    0x00fff9b400fff9cd00fff9e500fff9fd00fffa1500fffa2d00fffa4400fffa5b,
    0x00fffa7100fffa8700fffa9d00fffab200fffac700fffadc00fffaf000fffb05,
    0x00fffb1800fffb2c00fffb3f00fffb5200fffb6400fffb7700fffb8900fffb9a,
    0x00fffbac00fffbbd00fffbce00fffbdf00fffbef00fffbff00fffc0f00fffc1f,
    0x00fffc2e00fffc3d00fffc4c00fffc5b00fffc6900fffc7800fffc8600fffc93,
    0x00fffca100fffcae00fffcbb00fffcc800fffcd500fffce200fffcee00fffcfa,
    0x00fffd0600fffd1200fffd1e00fffd2900fffd3400fffd4000fffd4b00fffd55,
    0x00fffd6000fffd6a00fffd7500fffd7f00fffd8900fffd9200fffd9c00fffda5,
    0x00fffdaf00fffdb800fffdc100fffdca00fffdd300fffddb00fffde400fffdec,
    0x00fffdf500fffdfd00fffe0500fffe0c00fffe1400fffe1c00fffe2300fffe2b,
    0x00fffe3200fffe3900fffe4000fffe4700fffe4e00fffe5500fffe5b00fffe62,
    0x00fffe6800fffe6f00fffe7500fffe7b00fffe8100fffe8700fffe8d00fffe93,
    0x00fffe9800fffe9e00fffea300fffea900fffeae00fffeb300fffeb800fffebd,
    0x00fffec200fffec700fffecc00fffed100fffed600fffeda00fffedf00fffee3,
    0x00fffee800fffeec00fffef000fffef500fffef900fffefd00ffff0100ffff05,
    0x00ffff0900ffff0d00ffff1000ffff1400ffff1800ffff1b00ffff1f00ffff22,
    0x00ffff2600ffff2900ffff2c00ffff3000ffff3300ffff3600ffff3900ffff3c,
    0x00ffff3f00ffff4200ffff4500ffff4800ffff4b00ffff4e00ffff5100ffff53,
    0x00ffff5600ffff5900ffff5b00ffff5e00ffff6000ffff6300ffff6500ffff68,
    0x00ffff6a00ffff6c00ffff6f00ffff7100ffff7300ffff7500ffff7700ffff7a,
    0x00ffff7c00ffff7e00ffff8000ffff8200ffff8400ffff8600ffff8700ffff89,
    0x00ffff8b00ffff8d00ffff8f00ffff9100ffff9200ffff9400ffff9600ffff97,
    0x00ffff9900ffff9b00ffff9c00ffff9e00ffff9f00ffffa100ffffa200ffffa4,
    0x00ffffa500ffffa600ffffa800ffffa900ffffab00ffffac00ffffad00ffffae,
    0x00ffffb000ffffb100ffffb200ffffb300ffffb500ffffb600ffffb700ffffb8,
    0x00ffffb900ffffba00ffffbb00ffffbc00ffffbd00ffffbe00ffffbf00ffffc0,
    0x00ffffc100ffffc200ffffc300ffffc400ffffc500ffffc600ffffc700ffffc8,
    0x00ffffc900ffffca00ffffcb00ffffcb00ffffcc00ffffcd00ffffce00ffffcf,
    0x00ffffcf00ffffd000ffffd100ffffd200ffffd200ffffd300ffffd400ffffd4,
    0x00ffffd500ffffd600ffffd600ffffd700ffffd800ffffd800ffffd900ffffd9,
    0x00ffffda00ffffdb00ffffdb00ffffdc00ffffdc00ffffdd00ffffdd00ffffde,
    0x00ffffdf00ffffdf00ffffe000ffffe000ffffe100ffffe100ffffe200ffffe2,
    0x00ffffe200ffffe300ffffe300ffffe400ffffe400ffffe500ffffe500ffffe6,
    0x00ffffe600ffffe600ffffe700ffffe700ffffe800ffffe800ffffe800ffffe9,
    0x00ffffe900ffffe900ffffea00ffffea00ffffea00ffffeb00ffffeb00ffffeb,
    0x00ffffec00ffffec00ffffec00ffffed00ffffed00ffffed00ffffee00ffffee,
    0x00ffffee00ffffee00ffffef00ffffef00ffffef00ffffef00fffff000fffff0,
    0x00fffff000fffff000fffff100fffff100fffff100fffff100fffff200fffff2,
    0x00fffff200fffff200fffff200fffff300fffff300fffff300fffff300fffff3,
    0x00fffff400fffff400fffff400fffff400fffff400fffff500fffff500fffff5,
    0x00fffff500fffff500fffff500fffff600fffff600fffff600fffff600fffff6,
    0x00fffff600fffff700fffff700fffff700fffff700fffff700fffff700fffff7,
    0x00fffff800fffff800fffff800fffff800fffff800fffff800fffff800fffff8,
    0x00fffff900fffff900fffff900fffff900fffff900fffff900fffff900fffff9,
    0x00fffff900fffffa00fffffa00fffffa00fffffa00fffffa00fffffa00fffffa,
    0x00fffffa00fffffa00fffffa00fffffa00fffffb00fffffb00fffffb00fffffb,
    0x00fffffb00fffffb00fffffb00fffffb00fffffb00fffffb00fffffb00fffffb,
    0x00fffffb00fffffc00fffffc00fffffc00fffffc00fffffc00fffffc00fffffc,
    0x00fffffc00fffffc00fffffc00fffffc00fffffc00fffffc00fffffc00fffffc,
    0x00fffffc00fffffd00fffffd00fffffd00fffffd00fffffd00fffffd00fffffd,
    0x00fffffd00fffffd00fffffd00fffffd00fffffd00fffffd00fffffd00fffffd,
    0x00fffffd00fffffd00fffffd00fffffd00fffffd00fffffd00fffffd00fffffe,
    0x00fffffe00fffffe00fffffe00fffffe00fffffe00fffffe00fffffe00fffffe,
    0x00fffffe00fffffe00fffffe00fffffe00fffffe00fffffe00fffffe00fffffe,
    0x00fffffe00000000000000000000000000000000000000000000000000000000,
]


@pure
@internal
def _value(_x: int256) -> int256:
    """
    @dev σ(x) in Q.24 of x in Q.16; beyond the limits, that at the limits. Linear between entries, which never fall,
         rounded to nearest, halves up.
    """
    place: uint256 = convert(max(0, min(_x + LIMIT, 2 * LIMIT - 1)), uint256)
    table: Bytes[4128] = abi_encode(TABLE)
    interval: uint256 = place >> 10
    is_negative: bool = interval < STEPS
    nearest: uint256 = 0
    if is_negative:
        nearest = STEPS - 1 - interval
    else:
        nearest = interval - STEPS
    entries: uint256 = extract32(table, 4 * nearest, output_type=uint256)
    inner: uint256 = entries >> 224  # the end of the interval that is closer to zero
    outer: uint256 = entries >> 192 & 4294967295
    below: uint256 = inner
    if is_negative:
        below = ONE - outer
    rise: uint256 = outer - inner
    return convert(below + ((rise * (place & 1023) + 512) >> 10), int256)
