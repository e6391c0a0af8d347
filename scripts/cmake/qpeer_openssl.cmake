# SPDX-License-Identifier: MIT OR BSD-3-Clause
# qpeer_find_openssl(): OpenSSL >= 3.5.1 as OpenSSL::SSL and OpenSSL::Crypto.
#
# Looked for in OPENSSL_ROOT_DIR (variable or environment), then where scripts/setup.sh puts its
# build, then in the system. Used by the build and, installed, by find_package(qpeer).
set(QPEER_OPENSSL_MINIMUM 3.5.1)

macro(qpeer_find_openssl)
  if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(_qpeer_openssl "$ENV{XDG_CACHE_HOME}/qpeer/openssl")
  else()
    set(_qpeer_openssl "$ENV{HOME}/.cache/qpeer/openssl")
  endif()
  if(NOT TARGET OpenSSL::SSL)
    if(NOT OPENSSL_ROOT_DIR AND "$ENV{OPENSSL_ROOT_DIR}" STREQUAL ""
       AND EXISTS "${_qpeer_openssl}/include/openssl/opensslv.h")
      set(OPENSSL_ROOT_DIR "${_qpeer_openssl}")
      set(OPENSSL_USE_STATIC_LIBS TRUE)
    endif()
    find_package(OpenSSL QUIET)
  endif()
  if(NOT TARGET OpenSSL::SSL OR "${OPENSSL_VERSION}" VERSION_LESS QPEER_OPENSSL_MINIMUM)
    message(FATAL_ERROR "qpeer needs OpenSSL >= ${QPEER_OPENSSL_MINIMUM} "
            "(found: ${OPENSSL_VERSION} ${OPENSSL_INCLUDE_DIR}). Run scripts/setup.sh, "
            "or set OPENSSL_ROOT_DIR to an installed one and configure into a fresh build folder.")
  endif()
endmacro()
