# SPDX-License-Identifier: MIT OR BSD-3-Clause
# What the CMakeLists.txt files are written in: qpeer_layer, qpeer_library, qpeer_program.
# The front door: every include begins with qpeer/, which this folder resolves, for us, for install, and for
# those who have our sources beside theirs. It holds links and nothing else of the checkout.
set(QPEER_INCLUDES "${PROJECT_BINARY_DIR}/include")

# qpeer_front_door(<path>...): each folder or header of the checkout appears as qpeer/<its name>.
function(qpeer_front_door)
  file(MAKE_DIRECTORY "${QPEER_INCLUDES}/qpeer")
  foreach(path IN LISTS ARGN)
    get_filename_component(name ${path} NAME)
    file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${path}" "${QPEER_INCLUDES}/qpeer/${name}" SYMBOLIC)
  endforeach()
endfunction()
qpeer_front_door(transport crypto cache p2p transport/qpeer/qpeer.hpp transport/qpeer/transport.hpp
                 transport/qpeer/version.hpp)

set(QPEER_STANDARD_HEADERS <algorithm> <array> <cstddef> <cstdint> <expected> <functional> <memory> <optional>
    <span> <string> <string_view> <utility> <vector>)
set(QPEER_LAYERS "" CACHE INTERNAL "the layers, low to high")

# Language, warnings and output folder for a target of our own.
function(qpeer_own target)
  target_compile_features(${target} PRIVATE cxx_std_23)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)  # A host that chose nothing gets what is fast.
    target_compile_options(${target} PRIVATE -O2 -DNDEBUG)
  endif()
  # Private: a program that uses the library must not see another transport/base/assert.hpp than it was built with.
  target_compile_definitions(${target} PRIVATE $<$<OR:$<BOOL:${QPEER_ASSERTIONS}>,$<CONFIG:Debug>>:QPEER_ASSERTIONS>)
  if(QPEER_DEV)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Werror)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # A false alarm there, on std::string (GCC bug 105651).
      target_compile_options(${target} PRIVATE -Wno-restrict)
    endif()
  endif()
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  endif()
endfunction()

# qpeer_precompiled(<target> <header>...): the target's sources begin with these headers, precompiled once
# for all targets of the same kind. Only with QPEER_PCH; each source includes what it needs all the same,
# which the tidy tests and clang-tidy prove by going without.
function(qpeer_precompiled target)
  get_target_property(type ${target} TYPE)
  if(NOT QPEER_PCH STREQUAL "all" AND NOT (QPEER_PCH STREQUAL "tests" AND type STREQUAL "EXECUTABLE"))
    return()
  endif()
  if(type STREQUAL "EXECUTABLE")
    set(first qpeer_precompiled_for_tests)
  else()
    set(first qpeer_precompiled_for_layers)
  endif()
  if(NOT TARGET ${first})
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/precompiled.cpp" CONTENT "namespace qpeer {}\n")
    add_library(${first} OBJECT "${PROJECT_BINARY_DIR}/precompiled.cpp")
    qpeer_own(${first})
    target_precompile_headers(${first} PRIVATE ${ARGN})
    if(type STREQUAL "EXECUTABLE")  # The compilers refuse what was precompiled with other options.
      set_target_properties(${first} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${first} PRIVATE -fPIE ${QPEER_TEST_OPTIONS})
      target_link_libraries(${first} PRIVATE GTest::gtest)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${first})
endfunction()

# qpeer_layer(<name> <dir>... [DEPENDS <layer>...] [LINK <target>...] [PRIVATE_LINK <target>...])
# makes qpeer_<name> of all .cpp files in the folders; a layer without any is headers only.
function(qpeer_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;LINK;PRIVATE_LINK")
  list(TRANSFORM arg_DEPENDS PREPEND qpeer_)
  list(TRANSFORM arg_UNPARSED_ARGUMENTS APPEND "/*.cpp" OUTPUT_VARIABLE patterns)
  list(TRANSFORM patterns PREPEND "${PROJECT_SOURCE_DIR}/")
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  set(target qpeer_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    qpeer_own(${target})
    qpeer_precompiled(${target} ${QPEER_STANDARD_HEADERS})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_LINK})
    if(QPEER_TAKEN_IN)  # Symbols can be renamed in machine code alone: see qpeer_take_in.
      set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
      target_compile_options(${target} PRIVATE -fno-lto)
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_compile_features(${target} ${scope} cxx_std_23)
  target_include_directories(${target} ${scope} ${QPEER_INCLUDES})
  target_link_libraries(${target} ${scope} ${arg_DEPENDS} ${arg_LINK})
  add_library(qpeer::${name} ALIAS ${target})
  set(QPEER_LAYERS ${QPEER_LAYERS} ${target} CACHE INTERNAL "")
endfunction()

# qpeer_library(): all layers in one libqpeer.a, target qpeer::qpeer. It needs nothing but the C++ library, and
# OpenSSL only where that is a shared library: the static libraries of QPEER_TAKEN_IN are taken in.
function(qpeer_library)
  set(objects)
  foreach(layer IN LISTS QPEER_LAYERS)
    get_target_property(type ${layer} TYPE)
    if(type STREQUAL "STATIC_LIBRARY")
      list(APPEND objects $<TARGET_OBJECTS:${layer}>)
    endif()
  endforeach()
  add_library(qpeer STATIC ${objects})
  add_library(qpeer::qpeer ALIAS qpeer)
  set_target_properties(qpeer PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_features(qpeer PUBLIC cxx_std_23)
  target_include_directories(qpeer PUBLIC "$<BUILD_INTERFACE:${QPEER_INCLUDES}>")
  if(QPEER_INSTALL)
    target_include_directories(qpeer PUBLIC "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  endif()
  target_link_libraries(qpeer PUBLIC Threads::Threads)
  if(QPEER_TAKEN_IN)
    qpeer_take_in(qpeer ${QPEER_TAKEN_IN})
  endif()
  if(QPEER_OPENSSL_IS_STATIC)
    target_link_libraries(qpeer PRIVATE ${CMAKE_DL_LIBS})
  else()
    target_link_libraries(qpeer PRIVATE qpeer::libssl qpeer::libcrypto)
  endif()
endfunction()

# qpeer_take_in(<library> <archive>...): the archives become a part of it, under names of their own.
function(qpeer_take_in library)
  set(folder "${PROJECT_BINARY_DIR}/taken_in")
  set(script "${PROJECT_SOURCE_DIR}/scripts/cmake/prefix_archives.sh")
  set(tools "${CMAKE_NM}" "${CMAKE_AR}" "${CMAKE_OBJCOPY}" "${folder}")
  set(names ${ARGN})
  list(TRANSFORM names REPLACE "^.*/" "")
  list(JOIN names ", " names)
  add_custom_command(OUTPUT "${folder}/others.a" "${folder}/names"
    COMMAND sh "${script}" make ${tools} ${ARGN}
    DEPENDS "${script}" ${ARGN}
    COMMENT "Giving the names in ${names} a prefix" VERBATIM)
  add_custom_target(qpeer_taken_in DEPENDS "${folder}/others.a" "${folder}/names")
  add_dependencies(${library} qpeer_taken_in)
  add_custom_command(TARGET ${library} POST_BUILD
    COMMAND sh "${script}" merge ${tools} "$<TARGET_FILE:${library}>" VERBATIM)
endfunction()

# qpeer_programs_common(<dir>): qpeer_programs, what the programs share; no part of the library.
function(qpeer_programs_common dir)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${dir}/*.cpp")
  add_library(qpeer_programs STATIC ${sources})
  qpeer_own(qpeer_programs)
  target_link_libraries(qpeer_programs PUBLIC qpeer::qpeer fmt::fmt-header-only)
endfunction()

# qpeer_program(<target> FROM <dir> [OUTPUT <name>] [LINK <target>...]): all .cpp of the folder;
# nothing when there are none. Sets <target>_MADE in the caller.
function(qpeer_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT;FROM" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_FROM}/*.cpp")
  if(NOT sources)
    set(${target}_MADE FALSE PARENT_SCOPE)
    return()
  endif()
  add_executable(${target} ${sources})
  qpeer_own(${target})
  target_link_libraries(${target} PRIVATE ${arg_LINK} qpeer::qpeer)
  if(arg_OUTPUT)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT})
  endif()
  set(${target}_MADE TRUE PARENT_SCOPE)
endfunction()
