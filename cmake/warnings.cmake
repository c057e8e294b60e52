# Flags of our own code; generated code and system headers do not get them.
add_library(sluice_flags INTERFACE)
# Designated initializers leave out what has its default.
target_compile_options(sluice_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow
                       -Wno-missing-field-initializers)
if(SLUICE_WERROR)
  target_compile_options(sluice_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(sluice_flags INTERFACE -Wthread-safety)
endif()
target_include_directories(sluice_flags INTERFACE ${PROJECT_SOURCE_DIR})

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

# sluice_library(NAME SOURCES... [LINK LIBRARIES...]): one library of our own code.
function(sluice_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE sluice_flags)
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()
