# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Powers of one half
@author Proofmill
@license Apache-2.0
@dev Stateless; written by `python -m tools.write_exponential_table`. Entry i is round(2^(24 - i / 256)) for i = 0 …
     256, in four bytes, eight to a word; zeros fill the last word.
"""

MAX_POWERS: constant(uint256) = 64
VANISHING: constant(uint256) = 25  # 2^-25 and less is zero in Q.24
TABLE: constant(bytes32[33]) = [
    0x0100000000ff4ecb00fe9e1100fdedd200fd3e0c00fc8ec000fbdfed00fb3194,
    0x00fa83b300f9d64a00f9295a00f87ce100f7d0df00f7255500f67a4100f5cfa4,
    0x00f5257d00f47bcc00f3d29000f329c900f2817700f1d99a00f1323100f08b3b,
    0x00efe4ba00ef3eab00ee991000edf3e700ed4f3000ecaaec00ec071900eb63b7,
    0x00eac0c700ea1e4700e97c3800e8da9900e8396a00e798ab00e6f85b00e65879,
    0x00e5b90700e51a0300e47b6d00e3dd4400e33f8900e2a23c00e2055b00e168e7,
    0x00e0ccdf00e0314300df961300defb4e00de60f500ddc70600dd2d8200dc9468,
    0x00dbfbb800db637100dacb9400da342100d99d1600d9067300d8703900d7da67,
    0x00d744fd00d6affa00d61b5e00d5872900d4f35b00d45ff300d3ccf100d33a54,
    0x00d2a81e00d2164c00d184df00d0f3d700d0633400cfd2f400cf431900ceb3a1,
    0x00ce248c00cd95da00cd078c00cc799f00cbec1500cb5eed00cad22600ca45c1,
    0x00c9b9be00c92e1b00c8a2d800c817f700c78d7500c7035300c6799100c5f02e,
    0x00c5672a00c4de8500c4563f00c3ce5700c346cd00c2bfa100c238d200c1b261,
    0x00c12c4d00c0a69500c0213b00bf9c3c00bf179a00be935300be0f6800bd8bd8,
    0x00bd08a400bc85ca00bc034a00bb812600baff5b00ba7dea00b9fcd200b97c14,
    0x00b8fbaf00b87ba300b7fbf000b77c9500b6fd9200b67ee700b6009400b58298,
    0x00b504f300b487a600b40aaf00b38e0e00b311c400b295d000b21a3200b19ee9,
    0x00b123f600b0a95700b02f0e00afb51900af3b7900aec22d00ae493400add090,
    0x00ad583f00ace04100ac689700abf13f00ab7a3a00ab038700aa8d2600aa1718,
    0x00a9a15b00a92bef00a8b6d500a8420c00a7cd9400a7596c00a6e59500a6720e,
    0x00a5fed700a58bef00a5195800a4a70f00a4351600a3c36b00a3520f00a2e102,
    0x00a2704300a1ffd200a18faf00a11fd900a0b05100a04116009fd228009f6387,
    0x009ef532009e872a009e196e009dabfe009d3eda009cd201009c6573009bf931,
    0x009b8d3a009b218d009ab62b009a4b130099e046009975c200990b880098a197,
    0x009837f00097ce920097657d0096fcb10096942d00962bf20095c3ff00955c53,
    0x0094f4f000948dd4009426ff0093c07200935a2b0092f42c00928e7200922900,
    0x0091c3d300915eed0090fa4d009095f2009031dc008fce0c008f6a81008f073b,
    0x008ea43a008e417d008ddf04008d7cd0008d1adf008cb933008c57ca008bf6a4,
    0x008b95c2008b3523008ad4c6008a74ad008a14d50089b541008955ee0088f6dd,
    0x0088980f008839810087db3500877d2b00871f620086c1d9008664910086078a,
    0x0085aac300854e3d0084f1f6008495f000843a290083dea10083835900832850,
    0x0082cd87008272fc008218af0081bea1008164d200810b410080b1ed008058d8,
    0x0080000000000000000000000000000000000000000000000000000000000000,
]


@pure
@internal
def _negative_powers(_distances: DynArray[uint256, MAX_POWERS]) -> DynArray[uint256, MAX_POWERS]:
    """
    @dev 2^-d of each d in Q.16, below 2^32; result in Q.24. Linear between entries, rounded to nearest, halves up; then
         the shift by the whole part rounds down. Entries fall, hence a - round((a - b) r / 256) with halves down. Many
         at once, because the table is laid out in memory for each call.
    """
    table: Bytes[1056] = abi_encode(TABLE)
    powers: DynArray[uint256, MAX_POWERS] = []
    for distance: uint256 in _distances:
        power: uint256 = 0
        whole: uint256 = distance >> 16
        if whole < VANISHING:
            entries: uint256 = extract32(table, 4 * (distance >> 8 & 255), output_type=uint256)
            above: uint256 = entries >> 224
            fall: uint256 = above - (entries >> 192 & 4294967295)
            power = above - (fall * (distance & 255) + 127 >> 8) >> whole
        powers.append(power)
    return powers
