# SPDX-License-Identifier: MIT OR BSD-3-Clause
# qpeer_find_openssl(<error> [QUIET]): OpenSSL >= 3.5.1 as the imported targets qpeer::libssl and qpeer::libcrypto, or
# the reason why there is none in the variable <error>, which is empty otherwise.
#
# Looked for in QPEER_OPENSSL_ROOT_DIR and OPENSSL_ROOT_DIR (variables), OPENSSL_ROOT_DIR (environment), then in
# the system, then where scripts/setup.sh puts its build. What else of OpenSSL the project that we are a part
# of has found before is left alone: it may be older. Used by the build and, installed, by find_package(qpeer).
#
# Sets QPEER_OPENSSL_VERSION, QPEER_OPENSSL_ROOT, and QPEER_OPENSSL_IS_STATIC: then the library takes its
# archives in, under names of its own (see qpeer_take_in).
set(QPEER_OPENSSL_MINIMUM 3.5.1)

# _qpeer_openssl_at(<root>): sets include, ssl, crypto and version in the caller; version is empty where there is none.
function(_qpeer_openssl_at root)
  foreach(_name include ssl crypto)
    unset(_found)
    if(_name STREQUAL "include")
      find_path(_found openssl/opensslv.h PATHS "${root}" PATH_SUFFIXES include NO_DEFAULT_PATH NO_CACHE)
    else()
      find_library(_found NAMES lib${_name}.so lib${_name}.a PATHS "${root}" NO_DEFAULT_PATH NO_CACHE
                   PATH_SUFFIXES lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE})
    endif()
    set(${_name} "${_found}" PARENT_SCOPE)
    if(NOT _found)
      set(version "" PARENT_SCOPE)
      return()
    endif()
    if(_name STREQUAL "include")
      file(STRINGS "${_found}/openssl/opensslv.h" _line REGEX "define[ \t]+OPENSSL_VERSION_STR[ \t]")
      if(NOT _line MATCHES "\"([^\"]+)\"")
        set(version "" PARENT_SCOPE)
        return()
      endif()
      set(_version "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  set(version "${_version}" PARENT_SCOPE)
endfunction()

function(qpeer_find_openssl error)
  cmake_parse_arguments(PARSE_ARGV 1 arg "QUIET" "" "")
  set(${error} "" PARENT_SCOPE)
  if(TARGET qpeer::libssl)
    return()
  endif()
  if(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(cache "$ENV{XDG_CACHE_HOME}/qpeer/openssl")
  else()
    set(cache "$ENV{HOME}/.cache/qpeer/openssl")
  endif()
  set(tried "")
  set(seen "")
  foreach(place "QPEER_OPENSSL_ROOT_DIR=${QPEER_OPENSSL_ROOT_DIR}" "OPENSSL_ROOT_DIR=${OPENSSL_ROOT_DIR}"
                "OPENSSL_ROOT_DIR=$ENV{OPENSSL_ROOT_DIR}" "=/usr/local" "=/usr" "=${cache}")
    string(REGEX MATCH "^([A-Z_]*)=(.*)$" unused "${place}")
    set(named "${CMAKE_MATCH_1}")
    set(root "${CMAKE_MATCH_2}")
    if(root STREQUAL "" OR root IN_LIST tried)
      continue()
    endif()
    list(APPEND tried "${root}")
    _qpeer_openssl_at("${root}")
    if(NOT version STREQUAL "" AND NOT version VERSION_LESS QPEER_OPENSSL_MINIMUM)
      break()
    endif()
    if(version STREQUAL "")
      set(version "none")
    endif()
    string(APPEND seen " ${root} (${version})")
    if(NOT named STREQUAL "" AND NOT arg_QUIET)
      message(WARNING "${named}=${root} has no OpenSSL >= ${QPEER_OPENSSL_MINIMUM} (found there: ${version}); "
                      "looking elsewhere.")
    endif()
    set(version "")
  endforeach()
  if(version STREQUAL "")
    set(${error} "qpeer needs OpenSSL >= ${QPEER_OPENSSL_MINIMUM}; looked at:${seen}. Run scripts/setup.sh of \
qpeer, or set QPEER_OPENSSL_ROOT_DIR to an installed one." PARENT_SCOPE)
    return()
  endif()
  add_library(qpeer::libcrypto UNKNOWN IMPORTED)
  add_library(qpeer::libssl UNKNOWN IMPORTED)
  set(IS_STATIC FALSE)
  if(ssl MATCHES "[.]a$")
    set(IS_STATIC TRUE)
    set_property(TARGET qpeer::libcrypto PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads ${CMAKE_DL_LIBS})
  endif()
  set_target_properties(qpeer::libcrypto PROPERTIES IMPORTED_LOCATION "${crypto}"
                        INTERFACE_INCLUDE_DIRECTORIES "${include}")
  set_target_properties(qpeer::libssl PROPERTIES IMPORTED_LOCATION "${ssl}" INTERFACE_INCLUDE_DIRECTORIES "${include}"
                        INTERFACE_LINK_LIBRARIES qpeer::libcrypto)
  set(QPEER_OPENSSL_VERSION "${version}" PARENT_SCOPE)
  set(QPEER_OPENSSL_ROOT "${root}" PARENT_SCOPE)
  set(QPEER_OPENSSL_IS_STATIC ${IS_STATIC} PARENT_SCOPE)
  set(QPEER_OPENSSL_LIBRARIES "${ssl}" "${crypto}" PARENT_SCOPE)
endfunction()
