# SPDX-License-Identifier: MIT OR BSD-3-Clause
# Install rules: libqpeer.a, the public headers, find_package(qpeer), pkg-config, the programs.
include(CMakePackageConfigHelpers)

set(_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/qpeer)
install(TARGETS qpeer EXPORT qpeerTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(_program qpeer_cli qpeer-perf)
  if(TARGET ${_program})
    install(TARGETS ${_program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

# Headers keep their place in the tree under include/qpeer; the umbrella headers lie at its top.
file(STRINGS scripts/public_headers.txt _headers REGEX "^[^#]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS scripts/public_headers.txt)
foreach(_header IN LISTS _headers)
  get_filename_component(_folder ${_header} DIRECTORY)
  string(REGEX REPLACE "^transport/qpeer$" "" _folder "${_folder}")
  install(FILES ${_header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/qpeer/${_folder})
endforeach()

configure_package_config_file(scripts/cmake/qpeerConfig.cmake.in
  ${PROJECT_BINARY_DIR}/qpeerConfig.cmake INSTALL_DESTINATION ${_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/qpeerConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT qpeerTargets NAMESPACE qpeer:: DESTINATION ${_cmake_dir})
install(FILES ${PROJECT_BINARY_DIR}/qpeerConfig.cmake ${PROJECT_BINARY_DIR}/qpeerConfigVersion.cmake
              scripts/cmake/qpeer_openssl.cmake DESTINATION ${_cmake_dir})

# pkg-config knows a system's OpenSSL by name, and any other shared one by its folder; a static one is in libqpeer.a.
set(QPEER_PC_REQUIRES "")
set(QPEER_PC_LIBS "-pthread")
if(QPEER_OPENSSL_IS_STATIC)
  string(APPEND QPEER_PC_LIBS " -ldl")
elseif(QPEER_OPENSSL_ROOT STREQUAL "/usr")
  set(QPEER_PC_REQUIRES "libssl libcrypto")
else()
  list(GET QPEER_OPENSSL_LIBRARIES 0 _ssl)
  get_filename_component(_ssl_dir "${_ssl}" DIRECTORY)
  string(PREPEND QPEER_PC_LIBS "-L${_ssl_dir} -Wl,-rpath,${_ssl_dir} -lssl -lcrypto ")
endif()
file(RELATIVE_PATH QPEER_PC_PREFIX "/x/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/x")
string(REGEX REPLACE "/$" "" QPEER_PC_PREFIX "${QPEER_PC_PREFIX}")
configure_file(scripts/cmake/qpeer.pc.in ${PROJECT_BINARY_DIR}/qpeer.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/qpeer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE-MIT LICENSE-BSD DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/qpeer)
if(QPEER_OPENSSL_IS_STATIC)
  install(FILES ${QPEER_OPENSSL_ROOT}/LICENSE.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/qpeer
          RENAME LICENSE-OpenSSL OPTIONAL)
endif()
if(TARGET qpeer::miniupnpc)  # As Debian has it.
  install(FILES /usr/share/doc/libminiupnpc-dev/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/qpeer
          RENAME LICENSE-miniupnpc OPTIONAL)
endif()
