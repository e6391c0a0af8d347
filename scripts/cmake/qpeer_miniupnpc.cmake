# SPDX-License-Identifier: MIT OR BSD-3-Clause
# qpeer_find_miniupnpc(): the static libminiupnpc as the imported target qpeer::miniupnpc, where there is one and
# QPEER_UPNP is not OFF. Sets QPEER_MINIUPNPC_ARCHIVE in the caller, which is empty otherwise; the library takes it
# in, so that nobody who uses qpeer needs it.
set(QPEER_UPNP AUTO CACHE STRING "Ports mapped by UPnP, with libminiupnpc: AUTO (where it is installed), ON, OFF")
set_property(CACHE QPEER_UPNP PROPERTY STRINGS AUTO ON OFF)
set(QPEER_MINIUPNPC_MINIMUM 17)  # Of its interface: that of 2.2.2.

function(qpeer_find_miniupnpc)
  set(QPEER_MINIUPNPC_ARCHIVE "" PARENT_SCOPE)
  if(NOT QPEER_UPNP MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "QPEER_UPNP is AUTO, ON or OFF, and not ${QPEER_UPNP}")
  endif()
  if(QPEER_UPNP STREQUAL "OFF")
    message(STATUS "qpeer: without UPnP (QPEER_UPNP=OFF)")
    return()
  endif()
  find_path(QPEER_MINIUPNPC_INCLUDE_DIR miniupnpc/miniupnpc.h)
  find_library(QPEER_MINIUPNPC_LIBRARY NAMES libminiupnpc.a)
  mark_as_advanced(QPEER_MINIUPNPC_INCLUDE_DIR QPEER_MINIUPNPC_LIBRARY)
  set(why "no static libminiupnpc with headers is here (Debian: libminiupnpc-dev)")
  if(QPEER_MINIUPNPC_INCLUDE_DIR AND QPEER_MINIUPNPC_LIBRARY)
    file(STRINGS "${QPEER_MINIUPNPC_INCLUDE_DIR}/miniupnpc/miniupnpc.h" line
         REGEX "define[ \t]+MINIUPNPC_(API_)?VERSION[ \t]")
    string(REGEX MATCH "MINIUPNPC_API_VERSION[ \t]+([0-9]+)" unused "${line}")
    set(interface "${CMAKE_MATCH_1}")
    string(REGEX MATCH "MINIUPNPC_VERSION[ \t]+\"([^\"]*)\"" unused "${line}")
    set(version "${CMAKE_MATCH_1}")
    set(why "libminiupnpc ${version} is too old")
    if(interface AND NOT interface LESS QPEER_MINIUPNPC_MINIMUM)
      add_library(qpeer::miniupnpc STATIC IMPORTED)
      set_target_properties(qpeer::miniupnpc PROPERTIES IMPORTED_LOCATION "${QPEER_MINIUPNPC_LIBRARY}"
                            INTERFACE_INCLUDE_DIRECTORIES "${QPEER_MINIUPNPC_INCLUDE_DIR}"
                            INTERFACE_COMPILE_DEFINITIONS QPEER_HAS_MINIUPNPC)
      set(QPEER_MINIUPNPC_ARCHIVE "${QPEER_MINIUPNPC_LIBRARY}" PARENT_SCOPE)
      message(STATUS "qpeer: with UPnP, by libminiupnpc ${version}")
      return()
    endif()
  endif()
  if(QPEER_UPNP STREQUAL "ON")
    message(FATAL_ERROR "QPEER_UPNP is ON, but ${why}.")
  endif()
  message(STATUS "qpeer: without UPnP: ${why}")
endfunction()
