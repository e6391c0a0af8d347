# SPDX-License-Identifier: MIT OR BSD-3-Clause
# Install rules: libqpeer.a, the headers, find_package(qpeer), pkg-config, the programs.
include(CMakePackageConfigHelpers)

set(_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/qpeer)
install(TARGETS qpeer EXPORT qpeerTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(_program qpeer_cli qpeer-perf)
  if(TARGET ${_program})
    install(TARGETS ${_program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

# Headers keep their place in the tree under include/qpeer; the umbrella headers lie at its top.
foreach(_tree transport crypto cache p2p)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${_tree} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/qpeer
          FILES_MATCHING PATTERN "*.hpp" PATTERN "transport/qpeer" EXCLUDE PATTERN "p2p/cli" EXCLUDE)
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/transport/qpeer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp")

configure_package_config_file(scripts/cmake/qpeerConfig.cmake.in
  ${PROJECT_BINARY_DIR}/qpeerConfig.cmake INSTALL_DESTINATION ${_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/qpeerConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT qpeerTargets NAMESPACE qpeer:: DESTINATION ${_cmake_dir})
install(FILES ${PROJECT_BINARY_DIR}/qpeerConfig.cmake ${PROJECT_BINARY_DIR}/qpeerConfigVersion.cmake
              scripts/cmake/qpeer_openssl.cmake DESTINATION ${_cmake_dir})

# pkg-config knows a system's OpenSSL by name; any other is named by its files.
get_filename_component(_ssl_dir "${OPENSSL_SSL_LIBRARY}" DIRECTORY)
if(_ssl_dir MATCHES "^/(usr/)?lib")
  set(QPEER_PC_REQUIRES "libssl libcrypto ")
  set(QPEER_PC_OPENSSL "")
else()
  set(QPEER_PC_REQUIRES "")
  set(QPEER_PC_OPENSSL "${OPENSSL_SSL_LIBRARY} ${OPENSSL_CRYPTO_LIBRARY} -ldl -pthread")
endif()
file(RELATIVE_PATH QPEER_PC_PREFIX "/x/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/x")
string(REGEX REPLACE "/$" "" QPEER_PC_PREFIX "${QPEER_PC_PREFIX}")
configure_file(scripts/cmake/qpeer.pc.in ${PROJECT_BINARY_DIR}/qpeer.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/qpeer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE-MIT LICENSE-BSD DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/qpeer)
