// SPDX-License-Identifier: MIT OR BSD-3-Clause
// Known answers and edge cases for the AEADs and HMAC: a selection of C2SP/wycheproof (commit dac1dd4,
// Apache-2.0, Copyright Google Inc. and the Wycheproof contributors), of 12-byte IVs and 16-byte tags.
#pragma once

#include <string_view>

#include "qpeer/crypto/aead.hpp"
#include "qpeer/crypto/openssl/algorithms.hpp"

namespace qpeer::crypto {

struct AeadVector {
  int id;
  CipherSuite suite;
  std::string_view key, iv, header, payload, sealed;
  bool valid;
};

struct HmacVector {
  int id;
  Hash hash;
  std::string_view key, message, tag;  ///< The tag may be cut short.
  bool valid;
};

inline constexpr AeadVector kAeadVectors[] = {
    {1, CipherSuite::aes_128_gcm_sha256, "5b9604fe14eadba931b0ccf34843dab9",
     "028318abc1824029138141a2", "", "001d0c231287c1182784554ca3a21908",
     "26073cc1d851beff176384dc9896d5ff0a3ea7a5487cb5f7d70fb6c58d038554", true},
    {3, CipherSuite::aes_128_gcm_sha256, "aa023d0478dcb2b2312498293d9a9129",
     "0432bc49ac34412081288127", "aac39231129872a2", "2035af313d1346ab00154fea78322105",
     "eea945f3d0f98cc0fbab472a0cf24e874bb9b4812519dadf9e1232016d068133", true},
    {5, CipherSuite::aes_128_gcm_sha256, "384ea416ac3c2f51a76e7d8226346d4e",
     "b30c084727ad1c592ac21d12", "", "35", "547c1e4ae88bb27e5638343cb9fd3f6337", true},
    {7, CipherSuite::aes_128_gcm_sha256, "dd6197cd63c963919cf0c273ef6b28bf",
     "ecb0c42f7000ef0e6f95f24d", "", "4dcc1485365866e25ac3f2ca6aba97",
     "8a9992388e735f80ee18f4a63c10ad1486a91cccf92c9a5b00f7b0e034891c", true},
    {9, CipherSuite::aes_128_gcm_sha256, "c15ed227dd2e237ecd087eaaaad19ea4",
     "965ff6643116ac1443a2dec7", "", "fee62fde973fe025ad6b322dcdf3c63fc7",
     "0de51fe4f7f2d1f0f917569f5c6d1b009c6cd8521422c0177e83ef1b7a845d97db", true},
    {11, CipherSuite::aes_128_gcm_sha256, "28ff3def08179311e2734c6d1c4e2871",
     "32bcb9b569e3b852d37c766a", "c3", "dfc61a20df8505b53e3cd59f25770d5018add3d6",
     "f58d453212c2c8a436e9283672f579f1191229785901131d0760c8715901d881fdfd3bc0", true},
    {40, CipherSuite::aes_128_gcm_sha256, "00112233445566778899aabbccddeeff",
     "ffffffffffffffffffffffff", "", "d593c4d8224f1b100c35e4f6c4006543",
     "431f31e6840931fd95f94bf88296ff6900000000000000000000000000000000", true},
    {41, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b39d9847dbc326a06e988c77ad3863e6083", false},
    {42, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b39da847dbc326a06e988c77ad3863e6083", false},
    {43, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b3958847dbc326a06e988c77ad3863e6083", false},
    {44, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b39d8857dbc326a06e988c77ad3863e6083", false},
    {45, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b39d8847d3c326a06e988c77ad3863e6083", false},
    {46, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b39d8847dbc336a06e988c77ad3863e6083", false},
    {47, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b39d8847dbc306a06e988c77ad3863e6083", false},
    {48, CipherSuite::aes_128_gcm_sha256, "000102030405060708090a0b0c0d0e0f",
     "505152535455565758595a5b", "", "202122232425262728292a2b2c2d2e2f",
     "eb156d081ed6b6b55f4612f021d87b39d8847dbc326a066988c77ad3863e6083", false},
    {91, CipherSuite::aes_256_gcm_sha384,
     "92ace3e348cd821092cd921aa3546374299ab46209691bc28b8752d17f123c20", "00112233445566778899aabb",
     "00000000ffffffff", "00010203040506070809",
     "e27abdd2d2a53d2f136b9a4a2579529301bcfb71c78d4060f52c", true},
    {93, CipherSuite::aes_256_gcm_sha384,
     "80ba3192c803ce965ea371d5ff073cf0f43b6a2ab576b208426e11409c09b9b0", "4da5bf8dfd5852c1ea12379d",
     "", "", "4771a7c404a472966cea8f73c8bfe17a", true},
    {95, CipherSuite::aes_256_gcm_sha384,
     "51e4bf2bad92b7aff1a4bc05550ba81df4b96fabf41c12c7b00e60e48db7e152", "4f07afedfdc3b6c2361823d3",
     "", "be3308f72a2c6aed", "cf332a12fdee800b602e8d7c4799d62c140c9bb834876b09", true},
    {97, CipherSuite::aes_256_gcm_sha384,
     "59d4eafb4de0cfc7d3db99a8f54b15d7b39f0acc8da69763b019c1699f87674a", "2fcb1b38a99e71b84740ad9b",
     "", "549b365af913f3b081131ccb6b825588",
     "f58c16690122d75356907fd96b570fca28752c20153092818faba2a334640d6e", true},
    {99, CipherSuite::aes_256_gcm_sha384,
     "0212a8de5007ed87b33f1a7090b6114f9e08cefd9607f2c276bdcfdbc5ce9cd7", "e6b1adf2fd58a8762c65f31b",
     "", "10f1ecf9c60584665d9ae5efe279e7f7377eea6916d2b111",
     "0843fff52d934fc7a071ea62c0bd351ce85678cde3ea2c9e7355fde599006715053813ce696237a8", true},
    {128, CipherSuite::aes_256_gcm_sha384,
     "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f", "000000000000000000000000",
     "", "561008fa07a68f5c61285cd013464eaf",
     "23293e9b07ca7d1b0cae7cc489a973b3ffffffffffffffffffffffffffffffff", true},
    {130, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa9de8fef6d8ab1bf1bf887232eab590dd", false},
    {131, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa9ee8fef6d8ab1bf1bf887232eab590dd", false},
    {132, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa1ce8fef6d8ab1bf1bf887232eab590dd", false},
    {133, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa9ce9fef6d8ab1bf1bf887232eab590dd", false},
    {134, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa9ce8fe76d8ab1bf1bf887232eab590dd", false},
    {135, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa9ce8fef6d9ab1bf1bf887232eab590dd", false},
    {136, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa9ce8fef6daab1bf1bf887232eab590dd", false},
    {137, CipherSuite::aes_256_gcm_sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "505152535455565758595a5b",
     "", "202122232425262728292a2b2c2d2e2f",
     "b2061457c0759fc1749f174ee1ccadfa9ce8fef6d8ab1b71bf887232eab590dd", false},
    {1, CipherSuite::chacha20_poly1305_sha256,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f6620273939"
     "3a204966204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220"
     "746865206675747572652c2073756e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca96712"
     "82fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58"
     "fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09"
     "e26a7e902ecbd0600691",
     true},
    {3, CipherSuite::chacha20_poly1305_sha256,
     "7a4cd759172e02eb204db2c3f5c746227df584fc1345196391dbb9577a250742", "a92ef0ac991dd516a3c6f689",
     "bd506764f2d2c410", "", "906fa6284b52f87b7359cbaa7563c709", true},
    {5, CipherSuite::chacha20_poly1305_sha256,
     "46f0254965f769d52bdb4a70b443199f8ef207520d1220c55e4b70f0fda620ee", "ab0dca716ee051d2782f4403",
     "91ca6c592cbcca53", "51", "c4168310ca45b1f7c66cad4e99e43f72b9", true},
    {7, CipherSuite::chacha20_poly1305_sha256,
     "c8833dce5ea9f248aa2030eacfe72bffe69a620caf793344e5718fe0d7ab1a58", "61546ba5f1720590b6040ac6",
     "88364fc8060518bf", "ddf2", "b60dead0fd4697ec2e5558237719d02437a2", true},
    {9, CipherSuite::chacha20_poly1305_sha256,
     "1c8b59b17a5ceced31bde97d4cefd9aaaa63362e096e863ec1c89580bca79b7a", "94f32a6dff588f2b5a2ead45",
     "6c8cf2ab3820b695", "453f95", "610925a8a7883eb7e40bc40e2e5922ae95ddc3", true},
    {123, CipherSuite::chacha20_poly1305_sha256,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "000102030405060708090a0b",
     "00000000000000000000000000000000",
     "65b63bf074b7283992e24b1ac0df0d22b555dbe2254d94a43f1de748d3cc6f0d20c142fe898fbbe6"
     "68d4324394434c1b18b58ead710aed9c31db1f2a8a1f1bb2",
     "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000f5eaa804605c3a4785f9d7f13b6f67d6",
     true},
    {125, CipherSuite::chacha20_poly1305_sha256,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "000102030405060708090a0b",
     "ffffffffffffffffffffffffffffffff",
     "9a49c40f8b48d7c66d1db4e53f20f2dd4aaa241ddab26b5bc0e218b72c3390f2",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff37e3399d9ca69679"
     "9f08f4f72bc0cdd8",
     true},
    {127, CipherSuite::chacha20_poly1305_sha256,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "000102030405060708090a0b",
     "ffffffffffffffffffffffffffffffff",
     "9a49c40f8b48d7c66d1db4e53f20f2dd4aaa241ddab26b5bc0e218b72c3390f2df3ebd0176704419"
     "972bcdbc6bbcb3e4e74a71528ef51263ce24e0d575e0e44dbbfa3e7c506b11e529cf326ceea759de"
     "c2b737000ef2f5e061089fe7719a77fd552aa1be5e266f965e724aa3a95083ef590de13375064831"
     "f5815f498bd916da",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffff51356329e280b12d55d3d98f0a580cbe",
     true},
    {129, CipherSuite::chacha20_poly1305_sha256,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "000102030405060708090a0b",
     "00000080000000800000008000000080",
     "65b63b7074b728b992e24b9ac0df0da2b555db62254d94243f1de7c8d3cc6f8d20c1427e898fbb66"
     "68d432c394434c9b18b58e2d710aed1c31db1faa8a1f1b32",
     "00000080000000800000008000000080000000800000008000000080000000800000008000000080"
     "00000080000000800000008000000080000000800000008040ef6383052d91c2e4b4611b0e32c5ff",
     true},
    {146, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "f5409bb729039d0814ac514054323f44", false},
    {147, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "f6409bb729039d0814ac514054323f44", false},
    {148, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "74409bb729039d0814ac514054323f44", false},
    {149, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "f4419bb729039d0814ac514054323f44", false},
    {150, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "f4409b3729039d0814ac514054323f44", false},
    {151, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "f4409bb728039d0814ac514054323f44", false},
    {152, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "f4409bb72b039d0814ac514054323f44", false},
    {153, CipherSuite::chacha20_poly1305_sha256,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "000102030405060708090a0b",
     "000102", "", "f4409bb729039d8814ac514054323f44", false},
    {207, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "0001020304050607051e9373",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff",
     "931227274a89d0b3aade7fac62c96262c1e77b8dafd248f10ad37c6ccb69cb7131b041593c8bb8c3"
     "db38f39dd8a124c424fce4389dede1d3cb9d46cf95970aea9856b6e313d756197baf4fcb58df275b"
     "ca8a2188f9e8a1ad04354ede542ddc30e8b735b2f5905f5811799282be94ae842ec126c55d2e6672"
     "35e9acf1d48798f0",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffff99a3b0fff6fdcbcce9dc5820f2a64861",
     true},
    {209, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000102030405060703e76f6f",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff",
     "1fde9b9ec8b247d42bbee2016d6715ba428a85431430eada56a2c5dc944b6aa6cef0b056a2eecc51"
     "d30838e640615e1458e0943e30f91ba41b4362fa9ed6037b21d14da7b4f76f9f68fa8903138d563c"
     "e2590af1201c7cfec2290cfce98a822ebb8d1ed9dc4e20d241755aff91cdfd10fdb69efa0d5c8082"
     "692601cbfbb955c7",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffff86ed21fda080a7d13981078d86b3e3cd",
     true},
    {211, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000102030405060726c6961b",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff",
     "e97244259af5a379238da0cad2a5f493655ec0e5024fd553bbb3deb66a94036d106c3d513407b2dd"
     "1cc5936c4c9c1e4f4b37b54dec261c601dc99e90680e23e2dc5c9a8d503d8bea49a8cdca3706bfd2"
     "a3daa0afb19a70fd3d355fc37c13f3f9e5c8d0864a5f80a780b36d4698ec2ce9ccc27b97ecbe672e"
     "41628ebd773acb81",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffff3c94b9fe60bdb35c6b7b73b765083492",
     true},
    {213, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000102030405060707db33de",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff",
     "2e1836640d810c2709fb83ccf1aef3a971085d1bbfb58a425abf75ccec70b3abde0e80539e83a825"
     "46e7372a19481547053308dd7842675e9c4f61302426da0d71c1da3102031030ed928152be009b15"
     "b52f71b5911991d39f68a8658d99729df2bbef31c8989f9604558df9f2aba4b3766c58aaef3548de"
     "545ec1f080225a88",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffc9c8366920f88381407712cec61e6607",
     true},
    {227, CipherSuite::chacha20_poly1305_sha256,
     "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f", "000102030405060708090a0b",
     "f1ffffffffffffffffffffffffffffff615af39eddb5fcd2519190d5507d3b06",
     "e48caf8a76183327c9561a4651c07c822ccd1642c06607d0d4bc0afb4de15915dbfa3b0b422e77e1"
     "5c64bf6247031f15fdb643117809821870000adf83834da5",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff00000000000000000000000000000000",
     true},
    {229, CipherSuite::chacha20_poly1305_sha256,
     "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f", "000102030405060708090a0b",
     "fdffffffffffffffffffffffffffffff2bdbf16d8ea4d39dab8dcb3d4bc4e104",
     "e48caf8a76183327c9561a4651c07c822ccd1642c06607d0d4bc0afb4de15915dbfa3b0b422e77e1"
     "5c64bf6247031f15fdb643117809821870000adf83834da5",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff00000080000000800000008000000080",
     true},
    {231, CipherSuite::chacha20_poly1305_sha256,
     "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f", "000102030405060708090a0b",
     "d2ffffffffffffffffffffffffffffffdd4b933e7b1a7ed93cc7c050db71dc03",
     "e48caf8a76183327c9561a4651c07c822ccd1642c06607d0d4bc0afb4de15915dbfa3b0b422e77e1"
     "5c64bf6247031f15fdb643117809821870000adf83834da5",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff01000000010000000100000001000000",
     true},
    {233, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000102030405060710abb165",
     "ffffffff",
     "c68ce708bf26aab862d97e1b42f31ef37bb66f8090c149e452ec7f20327eb2ea2e38aca2438b588d"
     "5459493e97e7fa330ff9bc23c897df6b00af86931d6c81555103478f2869b93ee29c837e95fb6b99"
     "03f3b72debfba2384baa48ceedfedb91",
     "e5ffffffffffffffffffffffffffffff0871bc8f1e4aa235087712d9df183609ffffffffffffffff"
     "ffffffffffffffffffffffe7a33009ef5fc604ea0f9a75e9ffffffffffffffffffffffffffffffff"
     "ffffffe7a33009ef5fc604ea0f9a75e93572162777262c518eef573b720e8e64",
     true},
    {235, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000102030405060703e76f6f",
     "ffffffff",
     "19de9b9ec8b247d42bbee2016d6715babc286fd979807951b183a188930ad15edcf0b056a2eecc51"
     "d30838e640615e14890e659fd3028c904e65018fdfd6038333d14da7b4f76f9f68fa8903138d563c"
     "33b7fb50c3e7ebca970f6f89a88a82d6",
     "f9ffffffffffffffffffffffffffffff015d1565924f6c7418de9babf8be4407edffffffffffffff"
     "ffffffffffffffff2e110e5e1c0468cbaad99c8abeffff07edffffffffffffffffffffffffffffff"
     "2e110e5e1c0468cbaad99c8abeffff0747e5d4294239db73b836c04070ff5b2d",
     true},
    {237, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "00010203040506072dd4cd40",
     "ffffffff",
     "49115e67ecd3d4178c4c60e713ab4e5ee02b87aeae8c3da8895f8cb0f6b9cc80f447139a5f4e3f8e"
     "92d7a3b71eb4ff0ecc4b7b803a5f8f4647df169080fe567a78a0085c32ddfcbeb01a8be4c34d5331"
     "047e9bc2d60bc471602e52f94df95aba",
     "d0ffffffffffffffffffffffffffffff792ca9a820a9d5140c8b2d4bf28c250ee3ffffffffffffff"
     "ffffffffffffffff6381c873d020df8fdaf5117a613ed707e3ffffffffffffffffffffffffffffff"
     "6381c873d020df8fdaf5117a613ed707adbd2cafc8c8f0e51250e7b81c9d0a2d",
     true},
    {239, CipherSuite::chacha20_poly1305_sha256,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "000102030405060710abb165",
     "ffffffff",
     "fc8ce708bf26aab862d97e1b42f31ef38b79403dfaabc0d8c18d23a3469c13e62e38aca2438b588d"
     "5459493e97e7fa330a4b941e6b66fcc2ed7d8cb3e8cc7ffc5103478f2869b93ee29c837e95fb6b99"
     "06419f10480a8191a67842ee185e2538",
     "dffffffffffffffffffffffffffffffff8be933274202b099b164e5aabfa9705ffffffffffffffff"
     "fffffffffffffffffa4dd7da00c12a46b2140ecafa3a8b40ffffffffffffffffffffffffffffffff"
     "fa4dd7da00c12a46b2140ecafa3a8b4030721677ff2eb8894e5a9d8492b7b0af",
     true}};

inline constexpr HmacVector kHmacVectors[] = {
    {1, Hash::sha256, "1e225cafb90339bba1b24076d4206c3e79c355805d851682bc818baa4f5a7779", "",
     "b175b57d89ea6cb606fb3363f2538abd73a4c00b4a1386905bac809004cf1933", true},
    {3, Hash::sha256, "85a7cbaae825bb82c9b6f6c5c2af5ac03d1f6daa63d2a93c189948ec41b9ded9", "a59b",
     "0fe2f13bba2198f6dda1a084be928e304e9cb16a56bc0b7b939a073280244373", true},
    {28, Hash::sha256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "",
     "d28b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb", false},
    {29, Hash::sha256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "000102030405060708090a0b0c0d0e0f",
     "d9b99f2709a3ca74172cbe93824c1f29b23a0c1e9c21bd851ff2d2c39dbef14e", false},
    {30, Hash::sha256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "",
     "d18b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb", false},
    {31, Hash::sha256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "000102030405060708090a0b0c0d0e0f",
     "dab99f2709a3ca74172cbe93824c1f29b23a0c1e9c21bd851ff2d2c39dbef14e", false},
    {169, Hash::sha256,
     "8a0c46eb8a2959e39865330079763341e7439dab149694ee57e0d61ec73d947e1d5301cd974e18a5"
     "e0d1cf0d2c37e8aadd9fd589d57ef32e47024a99bc3f70c077",
     "", "f5bfb940561fb4db73ebba49bf2e4893bb0cca618a71b7ecf6aca38231e167ea", true},
    {171, Hash::sha256,
     "21178e26bc28ffc27c06f762ba190a627075856d7ca6feab79ac63149b17126e34fd9e5590e0e90a"
     "ac801df09505d8af2dd0a2703b352c573ac9d2cb063927f2af",
     "7d5f1d6b993452b1b53a4375760d10a20d46a0ab9ec3943fc4b07a2ce735e731",
     "e542ac8ac8f364bae4b7da8b7a0777df350f001de4e8cfa2d9ef0b15019496ec", true},
    {1, Hash::sha384,
     "ee8df067857df2300fa71a10c30997178bb3796127b5ece5f2ccc170932be0e78ea9b0a5936c0915"
     "7e671ce7ec9fc510",
     "",
     "a655184daf3346ffc6629d493c8442644e4996a2799e42e3306fa6f5b0967b6cf3a6f819bab89bce"
     "297d1d1a5907b2d0",
     true},
    {3, Hash::sha384,
     "c55ea4c64a0a63e2d14ad42559ba7c816b8824d263c2cc6a015761b53f681e514369f0dfba5cde16"
     "5320ee10a96eb1fc",
     "5abd",
     "ccc2925f164a7d9662f1e76bcaf6345492bb091d4d2d775af2178a4bcc1ca21dcf8b3bf8f0568237"
     "70782f25a419bb3e",
     true},
    {28, Hash::sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
     "28292a2b2c2d2e2f",
     "",
     "45be81c415d283ab7a62a45188e5dafbcb97da606bd5b16c92c1fc36f198c0b3a714921848d5e03d"
     "f1c4849bb8310c66",
     false},
    {29, Hash::sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
     "28292a2b2c2d2e2f",
     "000102030405060708090a0b0c0d0e0f",
     "a84d07ff90b338e064b03603d76bcf0214b1fb88c66b9415dde76674896400f97b8408bfefa6ee86"
     "c716bfa4a460d216",
     false},
    {30, Hash::sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
     "28292a2b2c2d2e2f",
     "",
     "46be81c415d283ab7a62a45188e5dafbcb97da606bd5b16c92c1fc36f198c0b3a714921848d5e03d"
     "f1c4849bb8310c66",
     false},
    {31, Hash::sha384,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
     "28292a2b2c2d2e2f",
     "000102030405060708090a0b0c0d0e0f",
     "ab4d07ff90b338e064b03603d76bcf0214b1fb88c66b9415dde76674896400f97b8408bfefa6ee86"
     "c716bfa4a460d216",
     false},
    {163, Hash::sha384, "08476e9d49499c5f52e37f80ece6f5a45459948806b48241", "",
     "1b6cfc8709aab8075465f32e13b0b0f796cc34d93d7bed090f297dcf9fb75e0d8e285b1500b732d5"
     "54ac97ba45f33e47",
     true},
    {165, Hash::sha384, "b4afa9daaa8c944d73a3881f3221e42b34ef4e35f184e878",
     "cf607f6a0eb44ecbca81b6d1fdb595cee35f2353da02e82e28e133b9decd8fbb",
     "d064a51fb109c3b1d443f13f41e90e14198f846080464547806d46a8151c4e3855a81f4af4091560"
     "9095dd72f869aa1b",
     true},
    {169, Hash::sha384,
     "db6f9956c3f4ca6e41f1f7f14629d44c79e0353edbf3e310e6858bbc45a7cd57778a9053ba22a141"
     "bf58bfd434ad08648c7041a224b97a0d17e0edf94fd40b410a",
     "",
     "0cb1b296255bb259f3b601b49b35524a5eca6c52360754d3d96dd521c905b1c1821d74965967d8e8"
     "6d50de950fe4d635",
     true},
    {171, Hash::sha384,
     "ee799e25edb1b18452e5ed174bc6b2185a6754417d6cc05d736d2ba9efc8367e4b05ba0a2ee525ce"
     "eab74f9804a8479130c328d671e34070cf174a003a1dfb5994",
     "ac3e7da7e578b9b4dc2424030446c7f6aebcc471445a9e0e6e65099caeec5b2f",
     "c8607fca1888418166c550dd58d7a3976a6ecd0e4ca99b02fb187800a9c9ef909a6c1497c0652d4d"
     "ca82405ab07f5eed",
     true}};

}  // namespace qpeer::crypto
